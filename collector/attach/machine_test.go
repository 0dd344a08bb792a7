package attach

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weirproject/weir/bpf"
)

// base is where programs of machine code are loaded: 32-bit calls reach what is there.
const base = 0x400000

func ident(class elf.Class) [elf.EI_NIDENT]byte {
	return [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
}

// part makes bytes for an address.
type part func(at uint32) []byte

// assembled is code that lies at an address, and behind it the data that the code is told the address of.
func assembled(at uint32, code, data part) []byte {
	behind := at + uint32(len(code(0)))
	return append(code(behind), data(behind)...)
}

func writeProgram(t *testing.T, parts ...any) string {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "machine")
	if err := os.WriteFile(path, b.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// exec32 is a program that execs by a 32-bit call, with one argument and one variable, and exits with errno where
// that fails.
func exec32(t *testing.T, path, argument, variable string) *exec.Cmd {
	t.Helper()
	text := path + "\x00" + argument + "\x00" + variable + "\x00"
	arrays := uint32(len(text)) // of a pointer and NULL each
	code := func(at uint32) []byte { return execve32(at, at+arrays, at+arrays+8) }
	data := func(at uint32) []byte {
		first := at + uint32(len(path)) + 1
		second := first + uint32(len(argument)) + 1
		bytes := []byte(text)
		for _, word := range []uint32{first, 0, second, 0} {
			bytes = binary.LittleEndian.AppendUint32(bytes, word)
		}
		return bytes
	}
	cmd := exec.CommandContext(t.Context(), program32(t, code, data))
	cmd.Env = []string{}
	return cmd
}

func TestExecBy32BitCall(t *testing.T) {
	w := watchShared(t)
	pid, status := ended(t, exec32(t, self(t), "thirty-two", behaviour+"=exit 77"))
	if status.ExitStatus() != 77 {
		t.Fatalf("the program ended with %x", status)
	}
	got := until(w, "the second exec", func(e *events) *execution {
		return one(e.execs, func(s *execution) bool {
			return s.Head.Actor.Key.Tgid == uint32(pid) && s.filename == self(t)
		})
	})
	if got.arguments != "thirty-two\x00" || got.executable != self(t) || got.ExecutableEnd != uint8(bpf.PathWhole) {
		t.Errorf("%q of %q", got.arguments, got.executable)
	}
}
