package attach

import (
	"github.com/weirproject/weir/bpf"
)

func tryFork(w *watcher) func(*events) bool {
	pid, _ := ended(w.T, child(w.T, "exit 0"))
	return func(e *events) bool {
		return one(e.forks, func(s *bpf.ForkSample) bool { return s.Child.Tgid == uint32(pid) && byMe(s.Head.Actor) }) != nil
	}
}

func tryExec(w *watcher) func(*events) bool {
	pid, _ := ended(w.T, child(w.T, "exit 0"))
	return func(e *events) bool {
		return one(e.execs, func(s *execution) bool {
			return s.Head.Actor.Key.Tgid == uint32(pid) && s.executable == self(w.T) && s.ArgumentCount == 1
		}) != nil
	}
}

func tryExit(w *watcher) func(*events) bool {
	pid, _ := ended(w.T, child(w.T, "exit 7"))
	return func(e *events) bool {
		return one(e.exits, func(s *bpf.ExitSample) bool {
			return s.Head.Actor.Key.Tgid == uint32(pid) && s.ExitCode == 7
		}) != nil
	}
}
