package attach

import (
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// Counted kinds tell the first of a key at once; block.io tells nothing but sums.

func tryRetransmit(w *watcher) func(*events) bool {
	port := dropSyn(w.T)
	return func(e *events) bool { return retransmitTo(e, port) != nil }
}

func tryCreate(w *watcher) func(*events) bool { return w.create(unix.AF_INET) }

func tryCreatePacket(w *watcher) func(*events) bool { return w.create(unix.AF_PACKET) }

// create makes a socket whose protocol no test before has asked for, as a key is told once.
func (w *watcher) create(family int) func(*events) bool {
	w.Helper()
	w.tried++
	protocol := 200 + w.tried // none that the kernel has: the attempt is what counts
	if fd, err := unix.Socket(family, unix.SOCK_RAW, protocol); err == nil {
		unix.Close(fd)
	}
	return func(e *events) bool {
		return one(e.counted, func(s *bpf.CountSample) bool {
			by := s.Key.Socket()
			return byMe(s.Head.Actor) && by.Family == uint32(family) && by.Protocol == uint32(protocol)
		}) != nil
	}
}

func tryRequest(w *watcher) func(*events) bool {
	path, device := disk(w.T)
	if path == "" {
		w.Log(noDisks)
		return func(*events) bool { return true }
	}
	writeDirect(w.T, path, 1)
	return func(*events) bool {
		return sum(w.told(func(k *bpf.CountKey) bool { return bpf.Kind(k.Kind) == bpf.KindBlockIO && k.Block().Device == device })) > 0
	}
}
