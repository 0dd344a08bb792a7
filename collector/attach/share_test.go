package attach

import (
	"testing"

	"github.com/weirproject/weir/bpf"
)

// While nobody reads, a flood of processes fills what is everybody's of the ring, and then its own kinds' shares.
func TestAFloodCrowdsOutNoQuietKind(t *testing.T) {
	cfg := Default()
	cfg.RingBytes = 256 << 10
	w := watch(t, cfg)
	for full := uint64(0); full < 20; full = outcome(t, w.Attachment, bpf.KindProcessExec, bpf.OutcomeRingFull) {
		for range 20 {
			ended(t, child(t, "exit 0"))
		}
	}
	ports := make(map[uint16]bool)
	for range 5 {
		l := listen(t, "tcp4", "127.0.0.1:0")
		ports[end(l.Addr()).Port()] = true
		exchange(t, "tcp4", l)
		l.Close()
	}
	if err := w.Detach(); err != nil {
		t.Fatal(err)
	}
	w.drain()

	listens, connects, closes := 0, 0, 0
	for _, s := range w.seen.listens {
		listens += count(ports[s.Port])
	}
	for _, s := range w.seen.connects {
		connects += count(ports[s.Connection.RemotePort])
	}
	for _, s := range w.seen.closes {
		closes += count(ports[s.Connection.RemotePort])
	}
	if listens != 5 || connects != 5 || closes < 5 {
		t.Errorf("%d listens, %d connects and %d closes are in the ring; want 5 of each at least", listens, connects, closes)
	}
	counters := countersOf(t, w.Attachment)
	for _, k := range counters.Kinds {
		t.Logf("%-16s %d sent, %d found the ring full", k.Kind, k.Outcomes[bpf.OutcomeSent], k.Outcomes[bpf.OutcomeRingFull])
	}
	checkSent(t, counters, w.seen.heads)
}

// A reader that comes back gives every kind its share anew.
func TestASharesEndIsTheReadersReturn(t *testing.T) {
	cfg := Default()
	cfg.RingBytes = 64 << 10
	w := watch(t, cfg)
	for round := range 2 {
		before := outcome(t, w.Attachment, bpf.KindProcessExec, bpf.OutcomeSent)
		for range 100 {
			ended(t, child(t, "exit 0"))
		}
		if sent := outcome(t, w.Attachment, bpf.KindProcessExec, bpf.OutcomeSent) - before; sent < 10 {
			t.Errorf("round %d: %d execs found room", round, sent)
		}
		w.drain()
	}
	if full := outcome(t, w.Attachment, bpf.KindProcessExec, bpf.OutcomeRingFull); full == 0 {
		t.Error("the ring was never full")
	}
}

// checkSent wants every sample that was counted as sent in what was read.
func checkSent(t *testing.T, c Counters, heads []bpf.Head) {
	t.Helper()
	read := make(map[bpf.Kind]uint64)
	for _, h := range heads {
		read[bpf.Kind(h.Kind)]++
	}
	for _, k := range c.Kinds {
		if sent := k.Outcomes[bpf.OutcomeSent]; sent != read[k.Kind] {
			t.Errorf("%s: %d sent, %d read", k.Kind, sent, read[k.Kind])
		}
	}
}

func outcome(t *testing.T, a *Attachment, kind bpf.Kind, o bpf.Outcome) uint64 {
	t.Helper()
	for _, k := range countersOf(t, a).Kinds {
		if k.Kind == kind {
			return k.Outcomes[o]
		}
	}
	return 0
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}
