package bpf

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Handler takes samples, one method a kind. A sample and what its methods return point into the raw
// bytes, and are valid until the method returns.
type Handler interface {
	Fork(*ForkSample)
	Exec(*ExecSample)
	Exit(*ExitSample)
	Connect(*ConnectSample)
	Listen(*ListenSample)
	Close(*CloseSample)
	// Check takes capability.check: the first of a key, or what was counted by it.
	Check(*CountSample)
	ExecFailed(*ExecFailedSample)
	Accept(*AcceptSample)
	// Retransmit takes network.retransmit, Create socket.create and Io block.io, likewise.
	Retransmit(*CountSample)
	Create(*CountSample)
	Io(*CountSample)
	// Process takes a process that the task iterator found: no event.
	Process(*ProcessSample)
}

// A SampleError says why bytes are not a sample: the object and this package are not of one build, or the
// bytes are not the kernel's.
type SampleError struct {
	Size   int // of the bytes
	Reason string
}

func (e *SampleError) Error() string { return fmt.Sprintf("sample of %d bytes: %s", e.Size, e.Reason) }

// Dispatch hands the one sample in raw to the handler's method for its kind, or returns a *SampleError. raw lies at a multiple of eight bytes, as all that comes from a ring buffer does.
// Nothing is copied and nothing allocated: BenchmarkDispatch.
func Dispatch(raw []byte, h Handler) error {
	head, err := headOf(raw)
	if err != nil {
		return err
	}
	if Kind(head.Kind) >= kindCount {
		return &SampleError{len(raw), fmt.Sprintf("kind %d is not known", head.Kind)}
	}
	return byKind[head.Kind].dispatch(raw, h)
}

// byKind says of each kind what its samples are made of, and who takes them.
var byKind = [kindCount]sampleType{
	KindNone:              taken(Handler.Process),
	KindProcessFork:       taken(Handler.Fork),
	KindProcessExec:       taken(Handler.Exec),
	KindProcessExit:       taken(Handler.Exit),
	KindNetworkConnect:    taken(Handler.Connect),
	KindNetworkListen:     taken(Handler.Listen),
	KindNetworkClose:      taken(Handler.Close),
	KindCapabilityCheck:   taken(Handler.Check),
	KindProcessExecFailed: taken(Handler.ExecFailed),
	KindNetworkAccept:     taken(Handler.Accept),
	KindNetworkRetransmit: taken(Handler.Retransmit),
	KindSocketCreate:      taken(Handler.Create),
	KindBlockIO:           taken(Handler.Io),
}

type sampleType struct {
	layout   reflect.Type // of the struct that a sample begins with
	dispatch func(raw []byte, h Handler) error
}

func taken[S any](method func(Handler, *S)) sampleType {
	return sampleType{reflect.TypeFor[S](), func(raw []byte, h Handler) error { return dispatch(raw, h, method) }}
}

// headOf checks that raw holds a head, and says the size that it has.
func headOf(raw []byte) (*Head, error) {
	if len(raw) < int(unsafe.Sizeof(Head{})) {
		return nil, &SampleError{len(raw), "shorter than a head"}
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(raw)))%unsafe.Alignof(Head{}) != 0 {
		return nil, &SampleError{len(raw), "does not lie at a multiple of eight bytes"}
	}
	head := (*Head)(unsafe.Pointer(unsafe.SliceData(raw)))
	if uint64(head.Size) != uint64(len(raw)) {
		return nil, &SampleError{len(raw), fmt.Sprintf("its head says %d bytes", head.Size)}
	}
	return head, nil
}

// dispatch calls the handler's method with the sample in raw, whose head is good, once its other sizes are
// checked.
func dispatch[S any](raw []byte, h Handler, method func(Handler, *S)) error {
	if len(raw) < int(unsafe.Sizeof(*new(S))) {
		return &SampleError{len(raw), "shorter than its kind's struct"}
	}
	sample := (*S)(unsafe.Pointer(unsafe.SliceData(raw)))
	if tail := len(raw) - int(unsafe.Sizeof(*sample)); !tailFits(any(sample), tail) {
		return &SampleError{len(raw), "the sizes of its parts do not add up"}
	}
	method(h, sample)
	return nil
}

// tailFits reports whether a sample's own sizes account for the bytes behind its struct.
func tailFits(sample any, tail int) bool {
	switch s := sample.(type) {
	case *ExecSample:
		return tail == sum(s.sizes())
	case *ExecFailedSample:
		return tail == sum(s.sizes())
	case *ProcessSample:
		padding := tail - int(s.ExecutableSize)
		return padding >= 0 && padding < 8 // the next sample begins at a multiple of eight
	}
	return tail == 0
}

func sum(sizes []int) (all int) {
	for _, size := range sizes {
		all += size
	}
	return all
}
