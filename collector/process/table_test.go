package process

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/schema"
)

func key(tgid, exec int) schema.ProcessKey {
	return schema.ProcessKey{TGID: schema.TGID(tgid), Start: schema.BootTime(tgid * 1000), Exec: uint32(exec)}
}

func TestChildRunsItsCallersProgramUntilItExecs(t *testing.T) {
	table := NewTable(1 << 20)
	table.Exec(Entry{Key: key(10, 1), Executable: []byte("/bin/sh"), Arguments: []byte("sh\x00")}, 1)
	table.Fork(Entry{Key: key(11, 1), Parent: key(10, 1), Comm: []byte("sh")}, key(10, 1))

	got, _ := table.Lookup(key(11, 1))
	want := &Entry{Key: key(11, 1), Parent: key(10, 1), Executable: []byte("/bin/sh"), Arguments: []byte("sh\x00"), Comm: []byte("sh")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("forked child (-want +got):\n%s", diff)
	}

	table.Exec(Entry{Key: key(11, 2), Parent: key(10, 1), Executable: []byte("/bin/ls")}, 2)
	if got, _ := table.Lookup(key(11, 2)); string(got.Executable) != "/bin/ls" {
		t.Errorf("after exec: executable %q, want /bin/ls", got.Executable)
	}
	if got, ok := table.Lookup(key(11, 1)); !ok || string(got.Executable) != "/bin/sh" {
		t.Errorf("the program before the exec is forgotten at once: children may still name it")
	}
	if table.Len() != 2 {
		t.Errorf("live processes: %d, want 2", table.Len())
	}
}

// The ring of a run that was killed tells of forks by programs that were gone when the table was seeded.
func TestAForkByAProgramThatIsGoneLeavesTheChildItsExecutable(t *testing.T) {
	table := NewTable(1 << 20)
	table.Seed(Entry{Key: key(11, 1), Executable: []byte("/sbin/daemon")})
	table.Fork(Entry{Key: key(11, 1), Parent: key(10, 1), Comm: []byte("daemon")}, key(10, 1))
	got, _ := table.Lookup(key(11, 1))
	want := &Entry{Key: key(11, 1), Parent: key(10, 1), Executable: []byte("/sbin/daemon"), Comm: []byte("daemon")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("child (-want +got):\n%s", diff)
	}
}

func TestEndedProgramIsRememberedForGraceAndThenForgotten(t *testing.T) {
	table := NewTable(1 << 20)
	table.Exec(Entry{Key: key(10, 1)}, 1)
	table.Exit(key(10, 1), 5)
	table.Expire(5 + Grace)
	if _, ok := table.Lookup(key(10, 1)); !ok {
		t.Error("forgotten within grace")
	}
	table.Expire(6 + Grace)
	if _, ok := table.Lookup(key(10, 1)); ok {
		t.Error("remembered beyond grace")
	}
	if table.Bytes() != 0 {
		t.Errorf("an empty table holds %d bytes", table.Bytes())
	}
}

func TestAProcessThatIsKilledWithinExecLeavesNoLiveProgram(t *testing.T) {
	table := NewTable(1 << 20)
	table.Exec(Entry{Key: key(10, 1)}, 1)
	table.Exit(key(10, 2), 5)
	if table.Len() != 0 {
		t.Errorf("%d live processes, want none", table.Len())
	}
}

func TestSeedDoesNotOverwriteWhatASampleTold(t *testing.T) {
	table := NewTable(1 << 20)
	table.Exec(Entry{Key: key(10, 1), Executable: []byte("/bin/new")}, 1)
	table.Seed(Entry{Key: key(10, 1), Executable: []byte("/bin/old")})
	if got, _ := table.Lookup(key(10, 1)); string(got.Executable) != "/bin/new" {
		t.Errorf("executable %q, want the sample's", got.Executable)
	}
}

func TestSeededProcessGetsItsArgumentsOnce(t *testing.T) {
	table := NewTable(1 << 20)
	table.Seed(Entry{Key: key(10, 1)})
	table.Exec(Entry{Key: key(11, 1), Arguments: []byte("told\x00")}, 1)
	for k := range table.Live() {
		table.SeedArguments(k, []byte("read\x00"), true, "")
	}
	table.SeedArguments(key(12, 1), []byte("gone\x00"), false, "")
	seeded, _ := table.Lookup(key(10, 1))
	told, _ := table.Lookup(key(11, 1))
	if string(seeded.Arguments) != "read\x00" || !seeded.ArgumentsCut || string(told.Arguments) != "told\x00" {
		t.Errorf("seeded %q, %v; told by a sample %q", seeded.Arguments, seeded.ArgumentsCut, told.Arguments)
	}
	if want := 2*entryBytes + len("read\x00") + len("told\x00"); table.Bytes() != want {
		t.Errorf("%d bytes accounted, want %d", table.Bytes(), want)
	}
}

func TestFullTableForgetsEndedProgramsFirstAndCountsTheRunningOnes(t *testing.T) {
	table := NewTable(3 * entryBytes)
	table.Exec(Entry{Key: key(1, 1)}, 1)
	table.Exec(Entry{Key: key(2, 1)}, 1)
	table.Exec(Entry{Key: key(3, 1)}, 1)
	table.Exit(key(2, 1), 2)
	table.Exec(Entry{Key: key(4, 1)}, 3)
	if table.Evicted() != 0 {
		t.Errorf("evicted %d, want 0: an ended program was there to be forgotten", table.Evicted())
	}
	table.Lookup(key(1, 1))
	table.Exec(Entry{Key: key(5, 1)}, 4)
	if _, ok := table.Lookup(key(3, 1)); ok || table.Evicted() != 1 {
		t.Errorf("want the least recently named process evicted and counted; evicted %d", table.Evicted())
	}
}

// TestBoundHoldsAndBytesAreTheSumOfEntries drives the table with random calls and recounts it each time.
func TestBoundHoldsAndBytesAreTheSumOfEntries(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const limit = 40 * entryBytes
	table := NewTable(limit)
	for step := range schema.BootTime(20000) {
		k := key(random.IntN(60)+1, random.IntN(3)+1)
		e := Entry{Key: k, Executable: bytes.Repeat([]byte("x"), random.IntN(500))}
		switch random.IntN(5) {
		case 0:
			table.Fork(e, key(random.IntN(60)+1, 1))
		case 1:
			table.Exec(e, step)
		case 2:
			table.Exit(k, step)
		case 3:
			table.Seed(e)
		case 4:
			table.Expire(step * 100_000)
		}
		sum := 0
		for _, s := range table.entries {
			sum += s.size()
		}
		if sum != table.Bytes() || sum > limit || len(table.entries) != table.live.len+table.ended.len {
			t.Fatalf("step %d: %d bytes accounted, %d held, limit %d, %d entries in lists of %d and %d",
				step, table.Bytes(), sum, limit, len(table.entries), table.live.len, table.ended.len)
		}
	}
}

func TestStringsStayTheirEntrysOwnWhenSlotsAreUsedAgain(t *testing.T) {
	table := NewTable(10 * entryBytes)
	for i := 1; i < 1000; i++ {
		exe := bytes.Repeat([]byte{'a' + byte(i%26)}, i%300+1)
		table.Exec(Entry{Key: key(i, 1), Executable: exe, Arguments: []byte("x\x00")}, 1)
		table.Fork(Entry{Key: key(5000+i, 1), Parent: key(i, 1), Comm: []byte("child")}, key(i, 1))
		table.Exit(key(5000+i-1, 1), 2)
		got, ok := table.Lookup(key(5000+i, 1))
		if !ok || !bytes.Equal(got.Executable, exe) || string(got.Arguments) != "x\x00" || string(got.Comm) != "child" {
			t.Fatalf("child %d: %+v, want executable %q", i, got, exe)
		}
	}
}

func BenchmarkForkExecExit(b *testing.B) {
	table := NewTable(16 << 20)
	exe := []byte("/usr/lib/gcc/x86_64-linux-gnu/12/cc1")
	for n := 1; b.Loop(); n++ {
		at := schema.BootTime(n * 100)
		table.Fork(Entry{Key: key(n, 1), Parent: key(1, 1)}, key(1, 1))
		table.Exec(Entry{Key: key(n, 2), Parent: key(1, 1), Executable: exe, Arguments: exe}, at)
		table.Exit(key(n, 2), at)
		table.Expire(at)
	}
	b.ReportAllocs()
}

func TestLongStringsOfForgottenProgramsAreNotKept(t *testing.T) {
	table := NewTable(1 << 20)
	for i := range 100 {
		table.Exec(Entry{Key: key(i+1, 1), Executable: make([]byte, 4096)}, 1)
		table.Exit(key(i+1, 1), 1)
	}
	table.Expire(Grace + 2)
	if table.free.len != 100 {
		t.Fatalf("%d slots are free", table.free.len)
	}
	for s := table.free.first; s != nil; s = s.next {
		if cap(s.text) > longText || s.Executable != nil {
			t.Fatalf("a free slot keeps %d bytes", cap(s.text))
		}
	}
}
