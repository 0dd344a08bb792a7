package fill

import (
	"testing"
	"unsafe"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// BenchmarkProcess is the life of a process, from the ring's bytes to rows in sealed batches: a fork that feeds the
// table alone, an exec and an exit.
func BenchmarkProcess(b *testing.B) {
	f := newBench(schema.ProcessExec, schema.ProcessExit)
	seed(f, shellKey, initKey, "/bin/sh")
	chain := batch.NewChain(testKey(), schema.RunID{1})
	fork, exec := forkSample(), execSample("service\x00--config\x00/etc/service.yaml\x00", "/usr/bin/service", "service\x00bin\x00usr\x00", "\x00")
	exit := &bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)}
	exit.Head.Size = uint32(unsafe.Sizeof(*exit))
	samples := [][]byte{bytesOf(fork), bytesOf(exec), bytesOf(exit)}
	b.ReportAllocs()
	for b.Loop() {
		next(&fork.Child, &fork.Head)
		exec.Head.Actor.Key, exec.Head.TimeNs = fork.Child, fork.Head.TimeNs
		exec.Head.Actor.Key.ExecCount++
		exit.Head.Actor.Key, exit.Head.TimeNs = exec.Head.Actor.Key, fork.Head.TimeNs
		for _, s := range samples {
			if err := bpf.Dispatch(s, f.Filler); err != nil {
				b.Fatal(err)
			}
		}
		if f.draft.Rows() >= 1000 {
			f.table.Expire(bootTime(fork.Head.TimeNs))
			if _, err := f.draft.Seal(chain, batch.Times{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// next makes the key and the time of the process after this one: 5,000 a second.
func next(key *bpf.ProcessKey, head *bpf.Head) {
	head.TimeNs += 200_000
	key.Tgid, key.StartNs = 1000+(key.Tgid+1)%30_000, head.TimeNs
}

func forkSample() *bpf.ForkSample {
	s := &bpf.ForkSample{Head: head(bpf.KindProcessFork, shellKey), Child: childKey}
	s.Head.Size = uint32(unsafe.Sizeof(*s))
	s.Facts.Parent = shellKey
	copy(s.Facts.Comm[:], "sh")
	return s
}

// execSample returns a sample with its parts behind it.
func execSample(arguments, filename, executable, directory string) *bpf.ExecSample {
	s := &bpf.ExecSample{Head: head(bpf.KindProcessExec, childKey)}
	s.ArgumentsBytes, s.ArgumentCount = uint32(len(arguments)), 3
	s.ArgumentsSize, s.FilenameSize = uint16(len(arguments)), uint16(len(filename))
	s.ExecutableSize, s.ExecutableEnd = uint16(len(executable)), uint8(bpf.PathWhole)
	s.WorkingDirectorySize, s.WorkingDirectoryEnd = uint16(len(directory)), uint8(bpf.PathWhole)
	s.Facts.Parent = shellKey
	copy(s.Facts.Comm[:], "service")
	tail := arguments + filename + executable + directory
	s.Head.Size = uint32(int(unsafe.Sizeof(*s)) + len(tail))
	words := make([]uint64, (int(s.Head.Size)+7)/8)
	whole := (*bpf.ExecSample)(unsafe.Pointer(&words[0]))
	*whole = *s
	copy(bytesOf(whole)[unsafe.Sizeof(*s):], tail)
	return whole
}

func bytesOf[S bpf.ForkSample | bpf.ExecSample | bpf.ExitSample](s *S) []byte {
	size := (*bpf.Head)(unsafe.Pointer(s)).Size
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), size)
}
