package attach

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

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

func tryExecFailed(w *watcher) func(*events) bool {
	call{filename: "/nowhere/to be found", arguments: []string{"a", "b"}}.try()
	return func(e *events) bool {
		return one(e.failures, func(s *failure) bool {
			return s.Head.Actor.Key.Tgid == uint32(os.Getpid()) && s.filename == "/nowhere/to be found" &&
				s.arguments == "a\x00b\x00" && s.Error == uint32(unix.ENOENT)
		}) != nil
	}
}

func tryExecFailedOf32Bits(w *watcher) func(*events) bool {
	pid, status := ended(w.T, exec32(w.T, "/nowhere/32", "thirty-two", "A=b"))
	if status.ExitStatus() != int(unix.ENOENT) {
		w.Fatalf("the caller got %x", status)
	}
	return func(e *events) bool {
		return one(e.failures, func(s *failure) bool {
			return s.Head.Actor.Key.Tgid == uint32(pid) && s.filename == "/nowhere/32" && s.arguments == "thirty-two\x00" &&
				s.Error == uint32(unix.ENOENT) && s.Directory == -100
		}) != nil
	}
}

// The kernel starts modprobe for a family of sockets that it does not know; where it has no modules it starts nothing.
func tryExecFailedOfTheKernel(w *watcher) func(*events) bool {
	if fd, err := unix.Socket(unix.AF_KCM, unix.SOCK_DGRAM, 0); err == nil {
		unix.Close(fd)
	}
	return func(e *events) bool {
		return one(e.failures, func(s *failure) bool { return strings.HasSuffix(s.filename, "modprobe") }) != nil
	}
}
