package attach

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// work makes events of every kind that worked names.
func work(t *testing.T) {
	t.Helper()
	for range 10 {
		ended(t, child(t, "exit 3"))
		call{filename: "/nowhere"}.try()
		l := listen(t, "tcp4", "127.0.0.1:0")
		exchange(t, "tcp4", l)
		l.Close()
	}
}

// worked leaves out what a second's wait or a disk would be needed for: these kinds have tests of their own.
func worked(kind bpf.Kind) bool { return kind != bpf.KindNetworkRetransmit && kind != bpf.KindBlockIO }

func TestCountersBalanceOnceDetached(t *testing.T) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		t.Fatal(err)
	}
	defer stats.Close()
	cfg := Default()
	cfg.Bought = cfg.Kinds
	w := watch(t, cfg)
	work(t)
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	w.drain()
	c, err := w.Counters()
	if err != nil {
		t.Fatal(err)
	}

	var byPrograms, byKinds, sent uint64
	for i, p := range c.Programs {
		byPrograms += p.Seen
		if p.Runs != p.Ignored+p.Merged+p.Seen {
			t.Errorf("%+v does not balance", p)
		}
		kernel, err := w.order[i].loaded.Stats()
		if err != nil || kernel.RunCount != p.Runs {
			t.Errorf("%s: %d runs, the kernel counted %d (%v)", p.Program.Name, p.Runs, kernel.RunCount, err)
		}
	}
	for _, k := range c.Kinds {
		byKinds += k.Seen()
		sent += k.Outcomes[bpf.OutcomeSent]
		if worked(k.Kind) && k.Seen() == 0 {
			t.Errorf("%s was not seen", k.Kind)
		}
	}
	if byPrograms != byKinds || int(sent) != len(w.seen.heads) {
		t.Errorf("programs saw %d, kinds %d; %d sent, %d read", byPrograms, byKinds, sent, len(w.seen.heads))
	}
}

func TestDetachWhereCPUsRunWithoutATick(t *testing.T) {
	said, err := child(t, "detach").Output()
	if err != nil || string(said) != "<nil>" {
		t.Errorf("%s (%v)", said, err)
	}
}

func TestSequenceNumbersAreDenseOnEachCPU(t *testing.T) {
	w := watch(t, Default())
	work(t)
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	w.drain()
	if n := missing(t, w.seen.heads); n != 0 {
		t.Errorf("%d numbers are missing", n)
	}
}

func TestEverySampleThatFindsTheRingFullIsANumberThatIsMissing(t *testing.T) {
	cfg := Default()
	cfg.RingBytes = uint32(os.Getpagesize())
	w := watch(t, cfg)
	work(t)
	w.drain()
	work(t)
	w.drain()
	ended(t, child(t, "exit 0")) // shows the numbers that are missing before it
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	w.drain()
	c, err := w.Counters()
	if err != nil {
		t.Fatal(err)
	}
	var full, sent uint64
	for _, k := range c.Kinds {
		full += k.Outcomes[bpf.OutcomeRingFull]
		sent += k.Outcomes[bpf.OutcomeSent]
	}
	if full == 0 || int(sent) != len(w.seen.heads) {
		t.Errorf("%d found the ring full, %d sent, %d read", full, sent, len(w.seen.heads))
	}
	// Those behind a CPU's last sample show in no number yet.
	if n := missing(t, w.seen.heads); n > full || n == 0 {
		t.Errorf("%d numbers are missing, %d found the ring full", n, full)
	}
}

// missing returns how many sequence numbers are missing before each CPU's last sample.
func missing(t *testing.T, heads []bpf.Head) (n uint64) {
	t.Helper()
	cpus := make(map[uint32][]uint64)
	for _, h := range heads {
		cpus[h.Cpu] = append(cpus[h.Cpu], h.Sequence)
	}
	for cpu, numbers := range cpus {
		slices.Sort(numbers)
		if numbers[0] == 0 || len(slices.Compact(slices.Clone(numbers))) != len(numbers) {
			t.Errorf("CPU %d: a number is 0, or came twice", cpu)
		}
		n += numbers[len(numbers)-1] - uint64(len(numbers))
	}
	return n
}

func TestOnlyWantedKindsAreGiven(t *testing.T) {
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindProcessExit, bpf.KindNetworkListen}
	w := watch(t, cfg)
	work(t)
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	w.drain()
	if len(w.seen.exits) < 10 || len(w.seen.listens) < 10 || len(w.seen.heads) != len(w.seen.exits)+len(w.seen.listens) {
		t.Errorf("%d exits, %d listens, %d in all", len(w.seen.exits), len(w.seen.listens), len(w.seen.heads))
	}
}

func TestListenFallsWhereNoCgroupTreeIsMounted(t *testing.T) {
	cfg := Default()
	cfg.MountInfo = filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(cfg.MountInfo, []byte("22 27 0:21 / /proc rw - proc proc rw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := watch(t, cfg)
	rung := w.rungOf(bpf.KindNetworkListen)
	if rung.Order != 2 || !rung.Admits("port without bind") {
		t.Errorf("rung %d %s %q", rung.Order, rung, rung.Gaps())
	}
	for _, c := range w.Coverage() {
		if c.Kind == bpf.KindNetworkListen && (len(c.Refused) != 1 || !strings.Contains(c.Refused[0].Error(), "mount -t cgroup2")) {
			t.Errorf("%v", c.Refused)
		}
	}
	l := listen(t, "tcp4", "127.0.0.1:0")
	until(w, "network.listen", func(e *events) *bpf.ListenSample {
		return one(e.listens, func(s *bpf.ListenSample) bool { return s.End() == end(l.Addr()) })
	})
}

func TestValidateNamesEveryFault(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	_, err := New(Config{RingBytes: 3 << 12})
	for _, fault := range []string{"no kind", "ring of 12288 bytes", "0 sockets"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("New = %v; want it to say %q", err, fault)
		}
	}
}

func TestAKernelWithoutTypesIsRefusedClearly(t *testing.T) {
	cfg := Default()
	cfg.BTF = filepath.Join(t.TempDir(), "vmlinux")
	_, err := New(cfg)
	r, ok := errors.AsType[*Refused](err)
	if !ok || !errors.Is(err, os.ErrNotExist) || !strings.Contains(r.Need, "CONFIG_DEBUG_INFO_BTF=y") || !strings.Contains(r.Need, cfg.BTF) {
		t.Errorf("New = %v", err)
	}
}

func TestCgroup2MountIsFoundInEveryLayout(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"unified":            {"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate", "/sys/fs/cgroup"},
		"hybrid":             {"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw", "/sys/fs/cgroup/unified"},
		"space in its name":  {`41 31 0:38 / /mnt/a\040b rw - cgroup2 none rw`, "/mnt/a b"},
		"v1":                 {"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu", ""},
		"a part of the tree": {"41 31 0:38 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw", ""},
		"no line":            {"", ""},
	} {
		if got, ok := cgroup2Mount(c.line); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
