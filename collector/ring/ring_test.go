package ring

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
)

const (
	noWakeup    = 1 // BPF_RB_NO_WAKEUP
	forceWakeup = 2 // BPF_RB_FORCE_WAKEUP
	page        = 4096
	record      = headerSize + 16
)

// kernel is a ring buffer and a program that writes to it when it is told to.
type kernel struct {
	t    *testing.T
	ring *ebpf.Map
	prog *ebpf.Program
}

func newKernel(t *testing.T) kernel {
	t.Helper()
	ring, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ring", Type: ebpf.RingBuf, MaxEntries: page})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ring.Close() })
	// The packet is two words: flags and a value. A value of 0 is reserved and discarded, any other goes
	// out as 16 bytes, value twice.
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "writer", Type: ebpf.SocketFilter, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R2, 0),
			asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, -16),
			asm.Mov.Imm(asm.R4, 16),
			asm.FnSkbLoadBytes.Call(),
			asm.LoadMem(asm.R4, asm.RFP, -16, asm.DWord),
			asm.LoadMem(asm.R6, asm.RFP, -8, asm.DWord),
			asm.LoadMapPtr(asm.R1, ring.FD()),
			asm.JEq.Imm(asm.R6, 0, "discard"),
			asm.StoreMem(asm.RFP, -16, asm.R6, asm.DWord),
			asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, -16),
			asm.Mov.Imm(asm.R3, 16),
			asm.FnRingbufOutput.Call(),
			asm.Return(),
			asm.Mov.Imm(asm.R2, 16).WithSymbol("discard"),
			asm.Mov.Imm(asm.R3, 0),
			asm.FnRingbufReserve.Call(),
			asm.JEq.Imm(asm.R0, 0, "full"),
			asm.Mov.Reg(asm.R1, asm.R0),
			asm.Mov.Imm(asm.R2, noWakeup),
			asm.FnRingbufDiscard.Call(),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
			asm.Mov.Imm(asm.R0, -1).WithSymbol("full"),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { _ = prog.Close() })
	return kernel{t: t, ring: ring, prog: prog}
}

// write has the program write one record and reports whether there was room.
func (k kernel) write(flags, value uint64) bool {
	k.t.Helper()
	packet := make([]byte, 14, 30) // an Ethernet header, which the kernel takes off
	packet = binary.NativeEndian.AppendUint64(packet, flags)
	packet = binary.NativeEndian.AppendUint64(packet, value)
	ret, err := k.prog.Run(&ebpf.RunOptions{Data: packet})
	if err != nil {
		k.t.Fatal(err)
	}
	return ret == 0
}

func (k kernel) open() *Reader {
	k.t.Helper()
	r, err := Open(k.ring)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = r.Close() })
	return r
}

// read reads what is there and returns the values.
func read(t *testing.T, r *Reader) (values []uint64, pos uint64) {
	t.Helper()
	n, pos, err := r.Read(t.Context(), 0, func(sample []byte, _ uint64) bool {
		values = append(values, binary.NativeEndian.Uint64(sample))
		return true
	})
	if err != nil || n != len(values) {
		t.Fatalf("%d samples, %d given, error %v", n, len(values), err)
	}
	return values, pos
}

func TestKernelDoesNotOverwriteWhatIsNotReleased(t *testing.T) {
	k := newKernel(t)
	r := k.open()
	var want []uint64
	for v := uint64(1); k.write(noWakeup, v); v++ {
		want = append(want, v)
	}
	if len(want) != page/record {
		t.Fatalf("%d samples fit in, want %d", len(want), page/record)
	}
	got, pos := read(t, r)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if k.write(noWakeup, 1000) {
		t.Error("the kernel wrote into a ring that is read, and not released")
	}
	if r.Pending() != uint64(len(want)*record) {
		t.Errorf("pending %d, want %d", r.Pending(), len(want)*record)
	}
	r.Release(pos)
	if r.Pending() != 0 || !k.write(noWakeup, 1001) {
		t.Errorf("the ring is not free after release: pending %d", r.Pending())
	}
	if got, _ := read(t, r); !cmp.Equal(got, []uint64{1001}) {
		t.Errorf("after release: %d", got)
	}
}

func TestOrderOverManyTurnsOfTheRing(t *testing.T) {
	k := newKernel(t)
	r := k.open()
	var want, got []uint64
	for v := uint64(1); v <= 20*page/record; v++ {
		if v%5 == 0 {
			k.write(noWakeup, 0)
		}
		if !k.write(noWakeup, v) {
			t.Fatalf("no room for %d", v)
		}
		want = append(want, v)
		if v%97 == 0 {
			values, pos := read(t, r)
			got = append(got, values...)
			r.Release(pos)
		}
	}
	values, _ := read(t, r)
	if diff := cmp.Diff(want, append(got, values...)); diff != "" {
		t.Error(diff)
	}
}

func TestReaderThatWasKilledFindsUnreleasedSamplesAgain(t *testing.T) {
	k := newKernel(t)
	first := k.open()
	k.write(noWakeup, 1)
	_, pos := read(t, first)
	first.Release(pos)
	k.write(noWakeup, 2)
	k.write(noWakeup, 3)
	read(t, first) // and dies before it releases
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	k.write(noWakeup, 4)
	if got, _ := read(t, k.open()); !cmp.Equal(got, []uint64{2, 3, 4}) {
		t.Errorf("read again: %d", got)
	}
}

func TestReadEndsAtItsDeadlineWithWhatCameWithoutWakeup(t *testing.T) {
	k := newKernel(t)
	r := k.open()
	k.write(noWakeup, 7)
	read(t, r) // unreleased: a level-triggered poll would be ready all the time
	k.write(noWakeup, 8)
	start := time.Now()
	n, _, err := r.Read(t.Context(), 50*time.Millisecond, func([]byte, uint64) bool { return true })
	if n != 1 || err != nil || time.Since(start) < 50*time.Millisecond {
		t.Errorf("read %d samples after %v, error %v", n, time.Since(start), err)
	}
}

func TestReadIsWokenByTheKernel(t *testing.T) {
	k := newKernel(t)
	r := k.open()
	k.write(noWakeup, 1)
	read(t, r)
	woken := make(chan int)
	go func() {
		n, _, _ := r.Read(t.Context(), time.Hour, func([]byte, uint64) bool { return true })
		woken <- n
	}()
	// The first may come before Read waits, and is then not noticed until the next or the deadline.
	for v := uint64(2); ; v++ {
		k.write(forceWakeup, v)
		select {
		case n := <-woken:
			if n == 0 {
				t.Error("woken for nothing")
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestReadDoesNotWaitForAQuarterThatIsThere(t *testing.T) {
	k := newKernel(t)
	r := k.open()
	for v := range uint64(page/record/4 + 1) {
		k.write(noWakeup, v+1)
	}
	if n, _, err := r.Read(t.Context(), time.Hour, func([]byte, uint64) bool { return true }); n != page/record/4+1 || err != nil {
		t.Errorf("read %d, error %v", n, err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	r := newKernel(t).open()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if n, _, err := r.Read(ctx, time.Hour, func([]byte, uint64) bool { return true }); n != 0 || err != nil {
		t.Errorf("read %d, error %v", n, err)
	}
}

func TestCloseEndsReadAndReleaseAfterItIsHarmless(t *testing.T) {
	k := newKernel(t)
	r := k.open()
	k.write(noWakeup, 1)
	_, pos := read(t, r)
	ended := make(chan error)
	go func() {
		_, _, err := r.Read(t.Context(), time.Hour, func([]byte, uint64) bool { return true })
		ended <- err
	}()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("read ended with %v", err)
	}
	r.Release(pos)
	if r.Pending() != 0 {
		t.Errorf("pending %d", r.Pending())
	}
}

func TestReleaseOfWhatWasNotReadPanics(t *testing.T) {
	r := newKernel(t).open()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	r.Release(8)
}

func TestOpenRefusesAnotherMap(t *testing.T) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "counters", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := Open(m); err == nil {
		t.Error("opened")
	}
}

// BenchmarkRead: the reader's share of a sample, against 39 µs of a reader that is woken for each.
func BenchmarkRead(b *testing.B) {
	const size = 1 << 20
	w := window{data: make([]byte, size)}
	pos, samples := uint64(0), 0
	for ; pos+360 <= size; samples++ {
		pos = put(w, pos, 0, make([]byte, 350))
	}
	b.ReportAllocs()
	for b.Loop() {
		sum := 0
		if _, _, err := w.walk(0, pos, func(sample []byte, _ uint64) bool { sum += len(sample); return true }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*samples), "ns/sample")
}
