package attach

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// pins is where an attachment lives on without a process.
//
//	/sys/fs/bpf/weir/<name>/             locked: the lease
//	    <layout>/map-…, program-…, link-…
//	             progress                what the reader of the ring has saved: SetProgress
//	             about                   whose it is
//
// A new attachment is pinned before it is given anything to tell, about last; one that ends loses about first.
// So whatever lies there without about is the rest of a start or an end that was cut short, and nothing is lost
// with it.
type pins struct {
	lease    *os.File
	dir      string // of the layout
	about    about
	found    bool // there was an attachment of this layout already
	progress *ebpf.Map
}

// The prefixes of what is pinned, and the two maps that are not the object's.
const (
	pinnedMap      = "map-"
	pinnedProgram  = "program-"
	pinnedLink     = "link-"
	pinnedProgress = "progress"
	pinnedAbout    = "about"
)

// layout names what a reader of the maps depends on: the object, and what it is loaded with.
func layout(cfg Config) string {
	h := sha256.New()
	build := bpf.Build()
	h.Write(build[:])
	for _, n := range slices.Concat([]uint32{aboutVersion, cfg.RingBytes, cfg.Sockets}, kindNumbers(cfg.Kinds), []uint32{uint32(bpf.KindNone)}, kindNumbers(cfg.Bought)) {
		h.Write(binary.NativeEndian.AppendUint32(nil, n))
	}
	if cfg.Environment {
		h.Write([]byte("environment"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func kindNumbers(kinds []bpf.Kind) (numbers []uint32) {
	for _, k := range kinds {
		numbers = append(numbers, uint32(k))
	}
	return numbers
}

// openPins takes the lease. What lies there without about is removed.
func openPins(cfg Config) (*pins, error) {
	if err := mountBPFFS(cfg.BPFFS, cfg.Log); err != nil {
		return nil, err
	}
	lease, err := takeLease(cfg.pins())
	if err != nil {
		return nil, err
	}
	p := &pins{lease: lease, dir: filepath.Join(cfg.pins(), layout(cfg))}
	if err := p.find(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// find looks for an attachment of this layout, and makes room for one where there is none.
func (p *pins) find() error {
	about, err := readAboutOf(p.dir)
	if err == nil {
		p.progress, err = ebpf.LoadPinnedMap(filepath.Join(p.dir, pinnedProgress), nil)
	}
	if err == nil {
		p.about, p.found = about, true
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", p.dir, err)
	}
	if err := removePins(p.dir); err != nil {
		return err
	}
	return os.Mkdir(p.dir, 0o700)
}

func readAboutOf(dir string) (about, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinnedAbout), nil)
	if err != nil {
		return about{}, err
	}
	defer m.Close()
	return readAbout(m)
}

// at is the path of a pin; bpffs takes no dots in names, and the object's data sections begin with one.
func (p *pins) at(prefix, name string) string { return pinAt(p.dir, prefix, name) }

func pinAt(dir, prefix, name string) string {
	return filepath.Join(dir, prefix+strings.ReplaceAll(strings.TrimPrefix(name, "."), ".", "_"))
}

// maps opens the pinned maps of the object; nil where there was no attachment.
func (p *pins) maps(spec *ebpf.CollectionSpec) (map[string]*ebpf.Map, error) {
	if p == nil || !p.found {
		return nil, nil
	}
	maps := make(map[string]*ebpf.Map)
	for name, m := range spec.Maps {
		opened, err := ebpf.LoadPinnedMap(p.at(pinnedMap, name), &ebpf.LoadPinOptions{ReadOnly: m.Flags&unix.BPF_F_RDONLY != 0})
		if err != nil {
			closeAll(maps)
			return nil, p.unusable(err)
		}
		m.Flags &^= unix.BPF_F_RDONLY // the descriptor's, which the kernel does not keep with the map
		maps[name] = opened
	}
	return maps, nil
}

// unusable says what to do where somebody else has touched the pins.
func (p *pins) unusable(err error) error {
	return fmt.Errorf("%w; remove %s, and what its ring holds with it", err, p.dir)
}

func closeAll(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		m.Close()
	}
}

// has reports whether the program is pinned, on its hook or not.
func (p *pins) has(program string) bool {
	if p == nil || !p.found {
		return false
	}
	_, err := os.Lstat(p.at(pinnedProgram, program))
	return err == nil
}

// program opens a pinned program.
func (p *pins) program(name string) (*ebpf.Program, error) {
	return ebpf.LoadPinnedProgram(p.at(pinnedProgram, name), nil)
}

// link opens the program's pinned link. It is not there where a run was killed while it detached.
func (p *pins) link(name string) (link.Link, error) {
	return link.LoadPinnedLink(p.at(pinnedLink, name), nil)
}

// pin pins what is not pinned yet, about last.
func (p *pins) pin(objects *ebpf.Collection, programs []*program, about about) error {
	for name, m := range objects.Maps {
		if err := m.Pin(p.at(pinnedMap, name)); !pinned(err) {
			return fmt.Errorf("pin map %s: %w", name, err)
		}
	}
	for _, program := range programs {
		if err := program.loaded.Pin(p.at(pinnedProgram, program.Name)); !pinned(err) {
			return fmt.Errorf("pin program %s: %w", program.Name, err)
		}
		if err := program.link.Pin(p.at(pinnedLink, program.Name)); !pinned(err) {
			return fmt.Errorf("pin link of %s to %s: %w", program.Name, program.Hook, err)
		}
	}
	if p.found {
		return nil
	}
	return p.begin(about)
}

// pinned takes what was pinned before for good.
func pinned(err error) bool { return err == nil || errors.Is(err, fs.ErrExist) }

// begin pins the maps that make an attachment of the pins.
func (p *pins) begin(about about) (err error) {
	if p.progress, err = newText("weir_progress", textBytes); err != nil {
		return err
	}
	if err := p.progress.Pin(filepath.Join(p.dir, pinnedProgress)); err != nil {
		return fmt.Errorf("pin progress: %w", err)
	}
	m, err := aboutMap(about)
	if err != nil {
		return err
	}
	defer m.Close()
	p.about = about
	if err := about.write(m); err != nil {
		return err
	}
	if err := m.Pin(filepath.Join(p.dir, pinnedAbout)); err != nil {
		return fmt.Errorf("pin about: %w", err)
	}
	return nil
}

// tell replaces what is pinned as about.
func (p *pins) tell(about about) error {
	m, err := ebpf.LoadPinnedMap(filepath.Join(p.dir, pinnedAbout), nil)
	if err != nil {
		return err
	}
	defer m.Close()
	p.about = about
	return about.write(m)
}

// unhook removes the pins of the links: they end when the last descriptor is closed.
func (p *pins) unhook() error {
	if p == nil {
		return nil
	}
	return removeMatching(p.dir, pinnedLink+"*")
}

// end removes every pin of this attachment.
func (p *pins) end() error {
	if p == nil {
		return nil
	}
	return removePins(p.dir)
}

func (p *pins) close() error {
	if p == nil {
		return nil
	}
	var err error
	if p.progress != nil {
		err = p.progress.Close()
	}
	return errors.Join(err, giveLease(p.lease))
}

// removePins removes a directory of pins, about first. It need not be there.
func removePins(dir string) error {
	for _, pattern := range []string{pinnedAbout, "*"} {
		if err := removeMatching(dir, pattern); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func removeMatching(dir, pattern string) error {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return err
	}
	for _, pin := range found {
		if err := os.Remove(pin); err != nil {
			return err
		}
	}
	return nil
}
