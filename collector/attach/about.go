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

// about says whose pins lie in a directory, and how to read what its programs tell: enough for a build that has
// another object. It is pinned last and removed first, so that pins without it have never told anything.
type about struct {
	Version    int
	Attachment schema.AttachmentID
	Since      schema.BootTime // when the programs had been told what to give; 0: not yet
	Programs   []string        // by their numbers
	Kinds      []aboutKind     // by their numbers
	Outcomes   []string        // by their numbers
	Counters   aboutCounters
	Given      bpf.Place // of the variable that says what to give, in the map of zeroed data
	Unknown    bool      // this kernel does not count what it did not run
}

type aboutKind struct {
	bpf.Form
	Rung     string   // that the kind comes by; "": none
	Programs []string // of the rung
}

// aboutCounters are offsets of what a program counts on one CPU.
type aboutCounters struct{ Runs, Ignored, Merged, Outcomes int }

// aboutVersion is raised when the words above change their meaning: pins of another one are not read.
const aboutVersion = 1

func (a *Attachment) about() about {
	var c bpf.ProgramCounters
	told := about{
		Version:    aboutVersion,
		Attachment: a.id,
		Since:      a.since,
		Programs:   bpf.ProgramNames(),
		Counters: aboutCounters{
			Runs:     int(unsafe.Offsetof(c.Runs)),
			Ignored:  int(unsafe.Offsetof(c.Ignored)),
			Merged:   int(unsafe.Offsetof(c.Merged)),
			Outcomes: int(unsafe.Offsetof(c.Outcomes)),
		},
		Given:   a.given,
		Unknown: !a.misses,
	}
	for o := range bpf.OutcomeCount {
		told.Outcomes = append(told.Outcomes, o.String())
	}
	for _, form := range bpf.Forms() {
		told.Kinds = append(told.Kinds, aboutKind{Form: form})
	}
	for _, c := range a.coverage {
		if c.Rung != nil {
			told.Kinds[c.Kind].Rung, told.Kinds[c.Kind].Programs = c.Rung.String(), programsOf(c.Rung)
		}
	}
	return told
}

func programsOf(r *bpf.Rung) (names []string) {
	for _, p := range r.Programs {
		names = append(names, p.Name)
	}
	return names
}

// Texts are kept in maps of one entry: a length, and so many bytes. An update is one system call, which a kill
// does not cut in two.
const textBytes = 32 << 10

func newText(name string, bytes int) (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: uint32(bytes), MaxEntries: 1})
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
	room := int(m.ValueSize())
	if len(text) > room-4 {
		return fmt.Errorf("%d bytes are more than %d", len(text), room-4)
	}
	value := make([]byte, room)
	binary.NativeEndian.PutUint32(value, uint32(len(text)))
	copy(value[4:], text)
	return m.Put(uint32(0), value)
}

// errOtherAbout says that a build has made the pins whose words this one does not know.
var errOtherAbout = errors.New("its build says otherwise than this one how it is read")

// aboutMap leaves room for the moment at which it begins to tell.
func aboutMap(a about) (*ebpf.Map, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return newText("weir_about", len(text)+64)
}

func readAbout(m *ebpf.Map) (a about, err error) {
	text, err := readText(m)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err == nil && a.Version != aboutVersion {
		err = errOtherAbout
	}
	return a, err
}

func (a about) write(m *ebpf.Map) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return writeText(m, text)
}
