package attach

import (
	"github.com/weirproject/weir/bpf"
)

// It is counted: only the first check of its kind is told at once.
func tryCheck(w *watcher) func(*events) bool {
	refusedChecks(2)
	return func(e *events) bool { return w.myCheck(e) != nil }
}

func tryCheckOptions(w *watcher) func(*events) bool {
	refusedChecks(2)
	return func(e *events) bool { return w.myCheck(e).Key.Capability().Options&uint8(bpf.CapabilityUnknown) == 0 }
}

func (w *watcher) myCheck(e *events) *bpf.CountSample {
	return one(e.counted, func(s *bpf.CountSample) bool {
		return byMe(s.Head.Actor) && refusedHere(w.T, &s.Key) && s.Key.Capability().Refused != 0
	})
}
