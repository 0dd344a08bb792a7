package attach

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/weirproject/weir/bpf"
)

// A trial causes something, and returns what finds it among the events, told as it was.
type trial func(w *watcher) (told func(*events) bool)

// trials has every kind, and each gap that a program admits in C.
func trials() map[bpf.Kind]kindTrials {
	return map[bpf.Kind]kindTrials{
		bpf.KindProcessFork: {event: tryFork},
		bpf.KindProcessExec: {event: tryExec},
		bpf.KindProcessExit: {event: tryExit},
		bpf.KindNetworkConnect: {event: tryConnect, gaps: map[string]trial{
			"connect without a route":                     tryConnectWithoutARoute,
			"connect of MPTCP without a route":            tryConnectOfMPTCPWithoutARoute,
			"connect that a program of the cgroup denies": tryConnectDenied,
			"errno where no SYN left":                     tryConnectWithoutAFreePort,
			"pending where there is no answer":            tryConnectWithoutAnAnswer,
		}},
		bpf.KindNetworkListen: {event: tryListen, gaps: map[string]trial{
			"port without bind":                            tryListenWithoutBind,
			"result: a listen that then fails is told too": tryListenThatFails,
		}},
		bpf.KindNetworkClose: {event: tryClose},
		bpf.KindCapabilityCheck: {event: tryCheck, gaps: map[string]trial{
			"whether it was audited, and whether setuid asked": tryCheckOptions,
		}},
		bpf.KindNetworkRetransmit: {event: tryRetransmit},
		bpf.KindSocketCreate: {event: tryCreate, gaps: map[string]trial{
			"families other than IPv4 and IPv6": tryCreatePacket,
		}},
		bpf.KindBlockIO: {event: tryRequest},
		bpf.KindProcessExecFailed: {event: tryExecFailed, gaps: map[string]trial{
			"32-bit callers":                  tryExecFailedOf32Bits,
			"programs that the kernel starts": tryExecFailedOfTheKernel,
		}},
		bpf.KindNetworkAccept: {event: tryAccept, gaps: map[string]trial{
			lacksQueue:   tryAcceptTellsTheQueue,
			lacksTime:    tryAcceptWithoutAddress,
			lacksProcess: tryAcceptWithoutAddressThenReset,
			missesEnded:  tryAcceptWithoutAddressOfADeadConnection,
		}},
	}
}

type kindTrials struct {
	event trial            // what every rung tells
	gaps  map[string]trial // what some rung says that it lacks or misses, and every other one has to tell
}

// Each rung of each ladder is put in use, not only the best one. It tells the kind's event and what other rungs say
// that they lack or miss, and it does not tell what it says so of itself.
func TestEveryRungTellsAllButWhatItAdmits(t *testing.T) {
	ladders := readLadders(t)
	for _, kind := range bpf.Kinds() {
		for _, rung := range ladders[kind] {
			t.Run(fmt.Sprintf("%s/%d", kind, rung.Order), func(t *testing.T) {
				if w := watchRung(t, rung); w != nil {
					w.try(rung, gaps(ladders[kind]), trials()[kind])
				}
			})
		}
	}
}

func readLadders(t *testing.T) bpf.Ladders {
	t.Helper()
	spec, err := bpf.Spec(bpf.Settings{RingBytes: 1 << 20, Sockets: 1})
	if err != nil {
		t.Fatal(err)
	}
	ladders, err := bpf.ReadLadders(spec)
	if err != nil {
		t.Fatal(err)
	}
	return ladders
}

// gaps are what the ladder's rungs lack and miss, each once.
func gaps(ladder []bpf.Rung) (all []string) {
	for _, rung := range ladder {
		for _, gap := range slices.Concat(rung.Lacks, rung.Misses) {
			if !slices.Contains(all, gap) {
				all = append(all, gap)
			}
		}
	}
	return all
}

// watchRung puts one rung in use. It returns nil where this kernel has not what the rung needs: that is known by name,
// so a program that the verifier refuses is a failure.
func watchRung(t *testing.T, rung bpf.Rung) *watcher {
	t.Helper()
	cfg := Default()
	cfg.Kinds, cfg.Bought, cfg.RingBytes = []bpf.Kind{rung.Kind}, []bpf.Kind{rung.Kind}, 256<<10
	cfg.ladders = bpf.Ladders{rung.Kind: {rung}}
	w, err := newWatcher(cfg)
	if refused, ok := errors.AsType[*Refused](err); ok && refused.Need != otherKernel {
		t.Log(refused)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.of(t)
}

// try tries the rung in use, which some of the gaps are of.
func (w *watcher) try(rung bpf.Rung, gaps []string, tries kindTrials) {
	if tries.event == nil {
		w.Fatalf("trials has no %s", rung.Kind)
	}
	w.awaited(rung.Kind, tries.event(w))
	for _, gap := range gaps {
		if tries.gaps[gap] == nil {
			w.Errorf("trials has no %q", gap)
		}
	}
	for gap, try := range tries.gaps {
		told := try(w)
		w.awaited(rung.Kind, tries.event(w)) // what came of the trial came before it
		if told(&w.seen) == rung.Admits(gap) {
			w.Errorf("%s %s; it is not so with %q", rung, cmp.Or(rung.Gaps(), "is whole"), gap)
		}
	}
}

func (w *watcher) awaited(kind bpf.Kind, told func(*events) bool) {
	w.Helper()
	until(w, kind.String(), func(e *events) *events {
		if told(e) {
			return e
		}
		return nil
	})
}
