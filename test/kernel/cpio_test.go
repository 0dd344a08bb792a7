package kernel

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestAnArchiveIsWhatTheKernelReads(t *testing.T) {
	var out bytes.Buffer
	a := archive{w: &out}
	a.directory("dev")
	a.console()
	a.program("init", []byte("12345"))
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	// The first entry, field by field.
	const want = "070701" + "00000001" + "000041ED" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "dev\x00"
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("%q", out.String()[:len(want)])
	}
	if out.Len()%4 != 0 || !strings.Contains(out.String(), "init\x00\x00"+"12345\x00\x00\x00"+"070701") {
		t.Errorf("%d bytes, or the padding is wrong: %q", out.Len(), out.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestAnArchiveTellsThatItCouldNotBeWritten(t *testing.T) {
	a := archive{w: full{}}
	a.program("init", []byte("12345"))
	if err := a.close(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
