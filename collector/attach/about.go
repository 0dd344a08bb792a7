package attach

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
)

// about says whose pins lie in a directory, and how to read the counters among them: enough for a build that
// has another object. It is pinned last and removed first, so that pins without it have never told anything.
type about struct {
	Attachment schema.AttachmentID
	Kinds      []string // by their numbers
	Outcomes   int      // of each kind
	Sent       int      // the outcome that means a sample in the ring
	Offset     int      // bytes before the outcomes in the counters of a program
}

func newAbout(id schema.AttachmentID) about {
	a := about{
		Attachment: id,
		Kinds:      []string{""},
		Outcomes:   int(bpf.OutcomeCount),
		Sent:       int(bpf.OutcomeSent),
		Offset:     int(unsafe.Offsetof(bpf.ProgramCounters{}.Outcomes)),
	}
	for _, k := range bpf.Kinds() {
		a.Kinds = append(a.Kinds, k.String())
	}
	return a
}

// sent adds up what the counters of one program on one CPU say was put into the ring.
func (a *about) sent(counters []byte, sums map[string]uint64) error {
	if len(counters) < a.Offset+8*a.Outcomes*len(a.Kinds) {
		return fmt.Errorf("counters of %d bytes, which are too few", len(counters))
	}
	for kind, name := range a.Kinds {
		at := a.Offset + 8*(kind*a.Outcomes+a.Sent)
		if n := binary.NativeEndian.Uint64(counters[at:]); n > 0 {
			sums[name] += n
		}
	}
	return nil
}

// Texts are kept in maps of one entry: a length, and so many bytes. An update is one system call, which a kill
// does not cut in two.
const textBytes = 32 << 10

func newText(name string) (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: textBytes, MaxEntries: 1})
}

func readText(m *ebpf.Map) ([]byte, error) {
	value, err := m.LookupBytes(uint32(0))
	if err != nil {
		return nil, err
	}
	if len(value) < 4 || int(binary.NativeEndian.Uint32(value)) > len(value)-4 {
		return nil, errors.New("is no text")
	}
	return value[4:][:binary.NativeEndian.Uint32(value)], nil
}

func writeText(m *ebpf.Map, text []byte) error {
	if len(text) > textBytes-4 {
		return fmt.Errorf("%d bytes are more than %d", len(text), textBytes-4)
	}
	value := make([]byte, textBytes)
	binary.NativeEndian.PutUint32(value, uint32(len(text)))
	copy(value[4:], text)
	return m.Put(uint32(0), value)
}

func readAbout(m *ebpf.Map) (a about, err error) {
	text, err := readText(m)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

func writeAbout(m *ebpf.Map, a about) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return writeText(m, text)
}
