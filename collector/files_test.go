package collector

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// configure writes a configuration for the collectors that follow.
func (v *victim) configure(yaml string) {
	v.Helper()
	v.yaml = filepath.Join(filepath.Dir(v.data), "collector.yaml")
	if err := os.WriteFile(v.yaml, []byte(yaml), 0o600); err != nil {
		v.Fatal(err)
	}
}

// told is an event with what its batch says of its process.
type told struct {
	*batch.Batch
	row     batch.Row
	process int // index of the entry
}

func (e told) text(column []uint32) string { return string(e.Text(schema.At(column, e.process))) }
func (e told) own(column []uint32) string  { return string(e.Text(schema.At(column, e.row.GroupRow))) }
func (e told) arguments() string {
	return string(e.Text(uint32(schema.At(e.Proto().GetProcesses().GetArguments(), e.process))))
}
func (e told) state() weirv1.HashState {
	return schema.At(e.Proto().GetProcesses().GetHashState(), e.process)
}
func (e told) hash() string { return e.text(e.Proto().GetProcesses().GetSha256()) }

// events returns the events of a kind whose process has an argument.
func (v *victim) events(kind *schema.Kind, argument string) (all []told) {
	v.Helper()
	for _, b := range v.batches() {
		for row := range b.Rows() {
			if b.KindName(row) != kind.Name {
				continue
			}
			e := told{b, row, int(b.Proto().GetCommon().GetProcess()[row.Index]) - 1}
			if e.process >= 0 && strings.Contains(e.arguments(), "\x00"+argument+"\x00") {
				all = append(all, e)
			}
		}
	}
	return all
}

// one waits for the event.
func (v *victim) one(kind *schema.Kind, argument string) told {
	v.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if all := v.events(kind, argument); len(all) > 0 {
			return all[0]
		}
	}
	v.Fatalf("no %s of %s\n%s", kind.Name, argument, v.said.String())
	return told{}
}

// program copies a program, which becomes another one by that, and is old enough to be settled.
func program(t *testing.T, of string, change func(path string)) (path string, hash [sha256.Size]byte) {
	t.Helper()
	raw, err := os.ReadFile(of)
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, t.Name()...)
	path = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := time.Unix(info.Sys().(*syscall.Stat_t).Ctim.Unix())
	time.Sleep(time.Until(changed.Add(50 * time.Millisecond)))
	return path, sha256.Sum256(raw)
}

func TestExecTellsItsFilesHashAndCapabilities(t *testing.T) {
	path, hash := program(t, "/bin/true", func(path string) {
		if out, err := exec.Command("setcap", "cap_net_raw+ep", path).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	v := newVictim(t)
	v.configure("batch: {age: 1s}")
	v.start()
	v.runs(0)
	cmd := exec.Command(path, "hash-me")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	e := v.one(schema.ProcessExec, "hash-me")
	v.stop()
	// The program is over long before its sample is read: the file was found by its path.
	if e.hash() != string(hash[:]) || e.state() != 0 {
		t.Errorf("hash %x (%s), want %x", e.hash(), e.state(), hash)
	}
	if got := schema.At(e.Proto().GetProcessExec().GetFilePermitted(), e.row.GroupRow); got != 1<<unix.CAP_NET_RAW {
		t.Errorf("permitted %#x", got)
	}
	if !schema.At(e.Proto().GetProcessExec().GetFileEffective(), e.row.GroupRow) {
		t.Error("not effective")
	}
}

func TestADeletedProgramsHashIsOnItsLaterEvents(t *testing.T) {
	path, hash := program(t, "/bin/dash", nil)
	v := newVictim(t)
	v.start()
	v.runs(0)
	cmd := exec.Command(path, "-c", "while read line; do /bin/true; done", "delete-me")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cmd.Start(), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	v.one(schema.ProcessExec, "delete-me")
	e := v.last("delete-me")
	for deadline := time.Now().Add(20 * time.Second); e.hash() == "" && time.Now().Before(deadline); {
		if _, err := fmt.Fprintln(input); err != nil { // one more event that names it, as the parent
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		e = v.last("delete-me")
	}
	if err := errors.Join(input.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
	v.stop()
	if e.hash() != string(hash[:]) || e.state() != weirv1.HashState_HASH_STATE_UNSETTLED {
		t.Errorf("hash %x (%s), want %x", e.hash(), e.state(), hash)
	}
}

// last returns what was told last of the process that has the argument.
func (v *victim) last(argument string) (e told) {
	v.Helper()
	for _, b := range v.batches() {
		for i := range b.Proto().GetProcesses().GetTgid() {
			if here := (told{Batch: b, process: i}); strings.Contains(here.arguments(), "\x00"+argument+"\x00") {
				e = here
			}
		}
	}
	return e
}

func TestWhatIsNotToBeReadIsNot(t *testing.T) {
	v := newVictim(t)
	v.configure("executables: {bytes_per_second: 0B}")
	v.start()
	v.runs(0)
	cmd := exec.Command("/proc/self/exe", "no-hash")
	cmd.Env = []string{workloadExec + "=1"}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	e := v.one(schema.ProcessExec, "no-hash")
	v.stop()
	if e.hash() != "" || e.state() != 0 {
		t.Errorf("hash %x, %s", e.hash(), e.state())
	}
}

func TestTheSpoolHoldsNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	old := exec.Command("/proc/self/exe", "old-one", "--token", secret, strings.Repeat("x", 300))
	old.Env = []string{workloadSleep + "=1"}
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	v := newVictim(t)
	v.configure(`
environment: [WEIR_TEST_EXEC, SERVICE_*, LD_PRELOAD]
redact: {rules: [{name: kiosk, pattern: 'kiosk-([a-z0-9]+)'}]}
kinds: [process.fork, process.exec, process.exit]
`)
	v.start()
	v.runs(0)
	for i, arguments := range [][]string{
		{"--password", secret},
		{strings.Repeat("x", 200), "curl", "-u", "ada:" + secret, strings.Repeat("y", 5000)},
		{"https://ada:" + secret + "@example.org/"},
		{"kiosk-" + secret},
	} {
		cmd := exec.Command("/proc/self/exe", append([]string{fmt.Sprint("redact-", i)}, arguments...)...)
		cmd.Env = []string{workloadExec + "=1", "SERVICE_TOKEN=" + secret, "SERVICE_NAME=shop", "OTHER=" + secret, "LD_PRELOAD=/tmp/x.so"}
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	_ = old.Process.Kill()
	_ = old.Wait()
	v.one(schema.ProcessExit, "redact-3")
	exit := v.one(schema.ProcessExit, "old-one")
	v.stop()
	for _, b := range v.batches() {
		raw, err := proto.Marshal(b.Proto())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(secret)) {
			t.Fatalf("batch %d holds the secret", b.Proto().GetHeader().GetBatchNumber())
		}
	}
	for i, rules := range []string{"name", "login", "url", "kiosk"} {
		e := v.one(schema.ProcessExec, fmt.Sprint("redact-", i))
		g := e.Proto().GetProcessExec()
		if got := e.text(e.Proto().GetProcesses().GetRedacted()); got != rules {
			t.Errorf("redact-%d by %q, want %q", i, got, rules)
		}
		want := "WEIR_TEST_EXEC=1\x00SERVICE_TOKEN=[redacted]\x00SERVICE_NAME=shop\x00LD_PRELOAD=/tmp/x.so\x00"
		if got := e.own(g.GetEnvironment()); got != want || e.own(g.GetEnvironmentRedacted()) != "name" {
			t.Errorf("environment %q by %q", got, e.own(g.GetEnvironmentRedacted()))
		}
		if schema.At(g.GetEnvironmentCut(), e.row.GroupRow) {
			t.Error("environment marked as cut")
		}
	}
	if got := exit.text(exit.Proto().GetProcesses().GetRedacted()); got != "name" || !strings.Contains(exit.arguments(), "--token\x00[redacted]\x00") {
		t.Errorf("older than the collector: %q by %q", exit.arguments(), got)
	}
}
