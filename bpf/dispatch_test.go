package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// lines writes down what it is handed, touching every accessor.
type lines struct{ got []string }

func (l *lines) add(format string, args ...any) { l.got = append(l.got, fmt.Sprintf(format, args...)) }

func (l *lines) Fork(s *ForkSample) { l.add("fork %d %s", s.Child.Tgid, s.Facts.CommName()) }
func (l *lines) Exit(s *ExitSample) { l.add("exit %d", s.ExitCode) }
func (l *lines) Connect(s *ConnectSample) {
	l.add("connect %v %v", s.Connection.LocalEnd(), s.Connection.RemoteEnd())
}
func (l *lines) Listen(s *ListenSample) { l.add("listen %v", s.End()) }
func (l *lines) Close(s *CloseSample)   { l.add("close %v", s.Connection.RemoteEnd()) }
func (l *lines) Check(s *CountSample) {
	l.add("check %d × capability %d", s.Count.Count, s.Key.Capability().Capability)
}
func (l *lines) Retransmit(s *CountSample) {
	l.add("retransmit %d × %v %v", s.Count.Count, s.Key.Retransmit().LocalEnd(), s.Key.Retransmit().RemoteEnd())
}
func (l *lines) Create(s *CountSample) {
	l.add("create %d × family %d", s.Count.Count, s.Key.Socket().Family)
}
func (l *lines) Io(s *CountSample) { l.add("io %d × slot %d", s.Count.Count, s.Key.Block().Latency) }

func (l *lines) Accept(s *AcceptSample) { l.add("accept %v", s.Connection.RemoteEnd()) }
func (l *lines) Process(s *ProcessSample) {
	l.add("process %s %s", s.Facts.CommName(), s.Executable().Append(nil))
}
func (l *lines) Exec(s *ExecSample) {
	l.add("exec %q %s %s %s %s", s.Arguments(), s.Filename(), s.Interpreter(),
		s.Executable().Append(nil), s.WorkingDirectory().Append(nil))
}

func (l *lines) ExecFailed(s *ExecFailedSample) {
	l.add("exec_failed %q %s in %s: %d", s.Arguments(), s.Filename(), s.WorkingDirectory().Append(nil), s.Error)
}

// sample returns the bytes of one sample as the kernel lays them out, with its size in its head.
func sample[S any](s S, parts ...string) []byte {
	raw := bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&s)), unsafe.Sizeof(s)))
	for _, part := range parts {
		raw = append(raw, part...)
	}
	binary.NativeEndian.PutUint32(raw, uint32(len(raw)))
	return raw
}

func words(raw ...byte) (w [4]uint32) {
	copy((*[16]byte)(unsafe.Pointer(&w))[:], raw)
	return w
}

func execOf(arguments, filename, interpreter, executable, directory string) []byte {
	return sample(ExecSample{
		Head:                 Head{Kind: uint16(KindProcessExec)},
		ArgumentsSize:        uint16(len(arguments)),
		FilenameSize:         uint16(len(filename)),
		InterpreterSize:      uint16(len(interpreter)),
		ExecutableSize:       uint16(len(executable)),
		ExecutableEnd:        uint8(PathWhole),
		WorkingDirectorySize: uint16(len(directory)),
		WorkingDirectoryEnd:  uint8(PathWhole),
	}, arguments, filename, interpreter, executable, directory)
}

// counted is what was counted twice by a key.
func counted(kind Kind, fill func(*CountKey)) []byte {
	s := CountSample{Head: Head{Kind: uint16(kind)}, Key: CountKey{Kind: uint16(kind)}, Count: Count{Count: 2}}
	fill(&s.Key)
	return sample(s)
}

func samples() map[string][]byte {
	loopback := Connection{Family: familyIPv4, Local: words(127, 0, 0, 1), LocalPort: 40000, Remote: words(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), RemotePort: 80}
	six := loopback
	six.Family = 10
	return map[string][]byte{
		"fork 7 sh": sample(ForkSample{
			Head: Head{Kind: uint16(KindProcessFork)}, Child: ProcessKey{Tgid: 7}, Facts: ProcessFacts{Comm: [16]uint8{'s', 'h'}},
		}),
		`exec "sh\x00-c\x00" /bin/sh /bin/sh /usr/bin/dash /`: execOf("sh\x00-c\x00", "/bin/sh\x00", "/bin/sh\x00", "dash\x00bin\x00usr\x00", ""),
		"check 2 × capability 21":                             counted(KindCapabilityCheck, func(k *CountKey) { k.Capability().Capability = 21 }),
		"retransmit 2 × 127.0.0.1:40000 15.14.13.12:80": counted(KindNetworkRetransmit, func(k *CountKey) {
			*k.Retransmit() = RetransmitKey{Family: familyIPv4, Local: loopback.Local, LocalPort: 40000, Remote: loopback.Remote, RemotePort: 80}
		}),
		"create 2 × family 17": counted(KindSocketCreate, func(k *CountKey) { k.Socket().Family = 17 }),
		"io 2 × slot 7":        counted(KindBlockIO, func(k *CountKey) { k.Block().Latency = 7 }),
		"exit 3":               sample(ExitSample{Head: Head{Kind: uint16(KindProcessExit)}, ExitCode: 3}),
		"connect 127.0.0.1:40000 15.14.13.12:80": sample(ConnectSample{
			Head: Head{Kind: uint16(KindNetworkConnect)}, Connection: loopback,
		}),
		"listen [::]:22": sample(ListenSample{Head: Head{Kind: uint16(KindNetworkListen)}, Family: 10, Port: 22}),
		"close [f0e:d0c:b0a:908:706:504:302:100]:80": sample(CloseSample{Head: Head{Kind: uint16(KindNetworkClose)}, Connection: six}),
		`exec_failed "ls\x00" ./ls in /usr: 2`: sample(ExecFailedSample{
			Head: Head{Kind: uint16(KindProcessExecFailed)}, Error: 2,
			ArgumentsSize: 3, FilenameSize: 5, WorkingDirectorySize: 4, WorkingDirectoryEnd: uint8(PathWhole),
		}, "ls\x00", "./ls\x00", "usr\x00"),
		"accept 15.14.13.12:80": sample(AcceptSample{Head: Head{Kind: uint16(KindNetworkAccept)}, Connection: loopback}),
		"process init /init": sample(ProcessSample{
			Facts: ProcessFacts{Comm: [16]uint8{'i', 'n', 'i', 't'}}, ExecutableSize: 5, ExecutableEnd: uint8(PathWhole),
		}, "init\x00", "\x00\x00\x00"),
	}
}

func TestDispatchHandsEachKindToItsMethod(t *testing.T) {
	for want, raw := range samples() {
		var l lines
		if err := Dispatch(raw, &l); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if diff := cmp.Diff([]string{want}, l.got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDispatchRefusesBytesThatAreNoSample(t *testing.T) {
	whole := execOf("a\x00", "/a\x00", "/a\x00", "a\x00", "\x00")
	unknown := bytes.Clone(whole)
	binary.NativeEndian.PutUint16(unknown[4:], uint16(kindCount))
	greedy := bytes.Clone(whole)
	at := unsafe.Offsetof(ExecSample{}.FilenameSize)
	binary.NativeEndian.PutUint16(greedy[at:], 0xffff)
	cut := sample(ExitSample{Head: Head{Kind: uint16(KindProcessExit)}})[:unsafe.Sizeof(Head{})]
	binary.NativeEndian.PutUint32(cut, uint32(len(cut)))
	shifted := append(make([]byte, 1, len(whole)+1), whole...)[1:]

	for name, raw := range map[string][]byte{
		"nothing": nil, "less than a head": whole[:8], "cut": whole[:len(whole)-1], "kind of the future": unknown,
		"part beyond the end": greedy, "less than its struct": cut, "not aligned": shifted,
	} {
		var l lines
		err := Dispatch(raw, &l)
		if e, ok := errors.AsType[*SampleError](err); !ok || e.Size != len(raw) || len(l.got) != 0 {
			t.Errorf("%s: Dispatch = %v, handled %q; want a SampleError of %d bytes", name, err, l.got, len(raw))
		}
	}
}

func FuzzDispatch(f *testing.F) {
	for _, raw := range samples() {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		aligned := make([]uint64, len(raw)/8+1)
		b := unsafe.Slice((*byte)(unsafe.Pointer(&aligned[0])), len(aligned)*8)[:len(raw):len(raw)]
		copy(b, raw)
		var l lines
		err := Dispatch(b, &l)
		if _, refused := errors.AsType[*SampleError](err); refused == (len(l.got) == 1) {
			t.Errorf("Dispatch = %v, handled %q; want one of the two", err, l.got)
		}
	})
}

// nobody takes samples and does nothing.
type nobody struct{}

func (nobody) Fork(*ForkSample)             {}
func (nobody) Exec(*ExecSample)             {}
func (nobody) Exit(*ExitSample)             {}
func (nobody) Connect(*ConnectSample)       {}
func (nobody) Listen(*ListenSample)         {}
func (nobody) Close(*CloseSample)           {}
func (nobody) Check(*CountSample)           {}
func (nobody) Process(*ProcessSample)       {}
func (nobody) ExecFailed(*ExecFailedSample) {}
func (nobody) Accept(*AcceptSample)         {}
func (nobody) Retransmit(*CountSample)      {}
func (nobody) Create(*CountSample)          {}
func (nobody) Io(*CountSample)              {}

func BenchmarkDispatch(b *testing.B) {
	raw := execOf("sh\x00-c\x00", "/bin/sh\x00", "/bin/sh\x00", "dash\x00bin\x00usr\x00", "")
	b.ReportAllocs()
	for b.Loop() {
		if err := Dispatch(raw, nobody{}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPathTurnsPartsRound(t *testing.T) {
	for _, c := range []struct {
		path Path
		want string
	}{
		{Path{}, ""},
		{Path{nil, PathWhole}, "/"},
		{Path{[]byte("sh\x00bin\x00"), PathWhole}, "/bin/sh"},
		{Path{[]byte("sh\x00bin\x00"), PathCut}, "bin/sh"},
		{Path{[]byte("memfd:x\x00"), PathDetached}, "memfd:x"},
	} {
		if got := string(c.path.Append(nil)); got != c.want {
			t.Errorf("%+v = %q, want %q", c.path, got, c.want)
		}
	}
}

func TestKindsAreNamedByTheObject(t *testing.T) {
	var got []string
	for _, k := range Kinds() {
		got = append(got, k.String())
	}
	want := []string{"process.fork", "process.exec", "process.exit", "network.connect", "network.listen", "network.close", "capability.check",
		"process.exec_failed", "network.accept",
		"network.retransmit", "socket.create", "block.io"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
