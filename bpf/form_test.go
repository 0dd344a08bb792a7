package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// otherBuild lays the samples out backwards: other numbers, other places, a kind and a field that this build has not.
func otherBuild() (forms []Form) {
	own := Forms()
	for number := range own {
		f := own[number]
		other := Form{Kind: f.Kind, Bytes: f.Bytes + 24, Fields: map[string]Place{"Head.OnlyThere": {8, 8}}}
		for name, at := range f.Fields {
			other.Fields[name] = Place{at[0] + 24, at[1]}
		}
		other.Fields["Head.Size"], other.Fields["Head.Kind"] = Place{0, 4}, Place{4, 2}
		delete(other.Fields, "Facts.Session")
		forms = append([]Form{other}, forms...)
	}
	return append(forms, Form{Kind: "future.kind", Bytes: 64, Fields: forms[0].Fields})
}

// made returns the sample of this build as the other one makes it.
func made(t *testing.T, forms []Form, raw []byte) []byte {
	t.Helper()
	head, err := HeadOf(raw)
	if err != nil {
		t.Fatal(err)
	}
	own := Forms()[head.Kind]
	for number, f := range forms {
		if f.Kind != own.Kind {
			continue
		}
		other := append(make([]byte, f.Bytes), raw[own.Bytes:]...)
		for name, at := range f.Fields {
			if from, ok := own.Fields[name]; ok {
				copy(other[at[0]:][:at[1]], raw[from[0]:])
			}
		}
		binary.NativeEndian.PutUint32(other, uint32(len(other)))
		binary.NativeEndian.PutUint16(other[4:], uint16(number))
		return other
	}
	t.Fatalf("no form of %s", own.Kind)
	return nil
}

func TestSamplesOfAnotherBuildAreRead(t *testing.T) {
	forms := otherBuild()
	c := NewConverter(forms)
	var want, got lines
	for _, raw := range samples() {
		if head, err := HeadOf(raw); err != nil || Kind(head.Kind) == KindNone {
			continue // never in a ring
		}
		converted, err := c.Convert(made(t, forms, raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(Dispatch(raw, &want), Dispatch(converted, &got)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want.got, got.got); diff != "" {
		t.Error(diff)
	}
}

func TestAKindOfAnotherBuildThatThisOneLacksIsNamed(t *testing.T) {
	forms := otherBuild()
	raw := make([]byte, 64)
	binary.NativeEndian.PutUint32(raw, 64)
	binary.NativeEndian.PutUint16(raw[4:], uint16(len(forms)-1))
	_, err := NewConverter(forms).Convert(raw)
	if foreign, ok := errors.AsType[*ForeignError](err); !ok || foreign.Kind != "future.kind" {
		t.Errorf("Convert = %v", err)
	}
}

func TestBytesThatAreNoSampleOfTheOtherBuildAreRefused(t *testing.T) {
	c := NewConverter(otherBuild())
	for name, raw := range map[string][]byte{
		"nothing":             nil,
		"another size":        {9, 0, 0, 0, 1, 0, 0, 0},
		"a number beyond all": append([]byte{100, 0, 0, 0, 255, 255}, make([]byte, 94)...),
	} {
		_, err := c.Convert(raw)
		if _, ok := errors.AsType[*SampleError](err); !ok {
			t.Errorf("%s: Convert = %v", name, err)
		}
	}
}

// Two programs tell of one event at slightly different times, in numbers of their own.
func TestOneEventHasOneIdentityInEveryBuild(t *testing.T) {
	forms := Forms()
	c := NewConverter(forms)
	event := ConnectSample{Head: Head{Kind: uint16(KindNetworkConnect), Sequence: 5, TimeNs: 1000, Cpu: 1}}
	event.Connection.LocalPort, event.Connection.Socket = 4711, 99
	again, another := event, event
	again.Head.Sequence, again.Head.TimeNs, again.Head.Program, again.Connection.Socket, again.LatencyNs = 9, 1040, 3, 7, 40
	another.Connection.LocalPort++
	one := c.Identity(sample(event))
	if two := c.Identity(sample(again)); two != one {
		t.Error("the same event has another identity")
	}
	if other := c.Identity(sample(another)); other == one {
		t.Error("another connection has the same identity")
	}
}

func TestFieldsOfAFormDoNotOverlap(t *testing.T) {
	for kind, f := range Forms() {
		covered := make([]byte, f.Bytes)
		for name, at := range maps.All(f.Fields) {
			if bytes.Contains(covered[at[0]:][:at[1]], []byte{1}) {
				t.Errorf("%s: %s overlaps another field", Kind(kind), name)
			}
			copy(covered[at[0]:], bytes.Repeat([]byte{1}, at[1]))
		}
	}
}

func FuzzConvert(f *testing.F) {
	forms := otherBuild()
	for number := range forms {
		raw := make([]byte, forms[number].Bytes+8)
		binary.NativeEndian.PutUint32(raw, uint32(len(raw)))
		binary.NativeEndian.PutUint16(raw[4:], uint16(number))
		f.Add(raw)
	}
	c := NewConverter(forms)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if converted, err := c.Convert(raw); err == nil {
			c.Identity(converted)
			_ = Dispatch(converted, &lines{})
		}
	})
}

func TestCountsOfAnotherBuildAreRead(t *testing.T) {
	forms := otherBuild()
	var want CountSample
	want.Key = CountKey{Epoch: 3, Kind: uint16(KindCapabilityCheck), By: [7]uint64{1, 2, 3, 4, 5}}
	want.Count.Count, want.Count.Amount, want.Count.Actor.Tid = 7, 8, 9
	for number, f := range forms {
		if f.Kind != KindCapabilityCheck.String() {
			continue
		}
		key, value := bytes.Clone(want.Key.bytes()), unsafe.Slice((*byte)(unsafe.Pointer(&want.Count)), unsafe.Sizeof(want.Count))
		binary.NativeEndian.PutUint16(key[4:], uint16(number))
		got, err := NewConverter(forms).Count(key, value)
		if err != nil || got.Key != want.Key || got.Count != want.Count {
			t.Errorf("%+v (%v); want %+v", got, err, want)
		}
	}
	none := make([]byte, 48)
	binary.NativeEndian.PutUint16(none[4:], 200)
	if _, err := NewConverter(forms).Count(none, make([]byte, 8)); err == nil {
		t.Error("a count of no kind was read")
	}
}
