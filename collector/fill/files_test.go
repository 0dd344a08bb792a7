package fill

import (
	"testing"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/executable"
	"github.com/weirproject/weir/collector/process"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

func TestAFileThatIsKnownLaterIsInTheDraftThatWaits(t *testing.T) {
	b := newBench(schema.ProcessExit)
	file := &executable.File{State: weirv1.HashState_HASH_STATE_PENDING}
	key := KeyOf(childKey)
	b.table.Seed(process.Entry{Key: key, File: file})
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)})
	if !b.Waits() {
		t.Error("the draft does not wait for a pending file")
	}
	*file = executable.File{SHA256: [32]byte{0xab}}
	if b.Waits() {
		t.Error("the draft waits for a file that is known")
	}
	b.Complete()
	read := b.read(t)
	p := read.Proto().Processes
	at := read.Proto().Common.Process[0] - 1
	if hash := read.Text(p.Sha256[at]); len(hash) != 32 || hash[0] != 0xab || schema.At(p.HashState, int(at)) != 0 {
		t.Errorf("hash %x", hash)
	}
	if b.Waits() {
		t.Error("the next draft waits")
	}
}

func TestIdsOfAContainerHaveNoNames(t *testing.T) {
	for name, tt := range map[string]struct {
		entry process.Entry
		want  string
	}{
		"of the host":                       {process.Entry{}, "ada"},
		"of a container":                    {process.Entry{OtherRoot: true}, ""},
		"of a container with its own users": {process.Entry{OtherRoot: true, UserNamespace: 7}, "ada"},
		"of a sandbox of the host":          {process.Entry{UserNamespace: 7, MountNamespace: 8}, "ada"},
	} {
		b := newBench(schema.ProcessExit)
		tt.entry.Key = KeyOf(childKey)
		b.table.Seed(tt.entry)
		b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)})
		read := b.read(t)
		c := read.Proto().Credentials
		if got := string(read.Text(schema.At(c.UserName, 0))); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestTheSameIdInAndOutOfAContainerIsTwoUsers(t *testing.T) {
	b := newBench(schema.ProcessExit)
	b.table.Seed(process.Entry{Key: KeyOf(childKey), OtherRoot: true})
	b.table.Seed(process.Entry{Key: KeyOf(shellKey)})
	b.SetTime(time.Unix(1, 0), 1)
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)})
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, shellKey)})
	read := b.read(t)
	common, c := read.Proto().Common, read.Proto().Credentials
	inside, outside := c.UserName[common.Credentials[0]-1], c.UserName[common.Credentials[1]-1]
	if got := string(read.Text(inside)); got != "" {
		t.Errorf("in the container: %q", got)
	}
	if got := string(read.Text(outside)); got != "ada" {
		t.Errorf("on the host: %q", got)
	}
}

func TestOnlyAllowedVariables(t *testing.T) {
	a := allowed{"LD_PRELOAD", "SERVICE_*"}
	got := a.appendTo(nil, []byte("PATH=/bin\x00LD_PRELOAD=x\x00LD_PRELOADED=y\x00SERVICE_=1\x00SERVICE\x00SERVICE_B=a=b\x00XSERVICE_C=1\x00LD_PRELOAD=cu"))
	if want := "LD_PRELOAD=x\x00SERVICE_=1\x00SERVICE_B=a=b\x00LD_PRELOAD=cu\x00"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhereNothingWasSeededAProcessOfTheHostIsToldAsSuch(t *testing.T) {
	f := newBench(schema.ProcessExit)
	facts := &bpf.ProcessFacts{RootDevice: 8, RootInode: 2, PidNamespace: 3, MountNamespace: 4, NetworkNamespace: 5, UserNamespace: 6}
	if f.hasOtherRoot(KeyOf(childKey), facts) {
		t.Error("it has another root")
	}
	if got := f.namespacesOf(KeyOf(childKey), facts); got != (namespaces{}) {
		t.Errorf("its namespaces are %v", got)
	}
}
