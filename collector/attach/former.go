package attach

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
)

// Former is an attachment as its pins tell of it, whatever build has made it: its ring can be read to its end, its
// counters summed, its hooks taken off. Nothing of it can be put back.
type Former struct {
	dir   string
	about about
	maps  map[string]*ebpf.Map // by their pins
	stats []*ebpf.Program      // by the programs' numbers; nil: not attached

	converter *bpf.Converter
	raw       map[bpf.CountKey][]byte // what its own build calls the keys that Counts has returned
}

// The maps of a former attachment that are read or written.
const (
	formerRing     = bpf.MapRing
	formerCounters = bpf.MapCounters
	formerCounts   = bpf.MapCounts
	formerCgroups  = bpf.MapCgroups
	formerZeroed   = ".bss"
)

// OpenFormers takes the lease of cfg's name and opens every attachment that goes by it. The caller closes each, and
// then the lease.
func OpenFormers(cfg Config) (all []*Former, lease *Lease, err error) {
	if err := mountBPFFS(cfg.BPFFS, cfg.Log); err != nil {
		return nil, nil, fmt.Errorf("attach: %w", err)
	}
	dir, err := takeLease(cfg.pins())
	if err != nil {
		return nil, nil, fmt.Errorf("attach: %w", err)
	}
	lease = &Lease{dir}
	all, err = formers(cfg.pins(), "", cfg.Log)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("attach: %w", err), lease.Close())
	}
	return all, lease, nil
}

// Lease is the right to what goes by a name. It ends with Close, or with the process.
type Lease struct{ dir *os.File }

// Close gives the lease up.
func (l *Lease) Close() error { return giveLease(l.dir) }

// formers opens the attachments of other layouts that go by the same name.
func (p *pins) formers(log *slog.Logger) ([]*Former, error) {
	return formers(filepath.Dir(p.dir), p.dir, log)
}

// formers opens every attachment in dir but one. Pins that never told anything are removed, and so are those whose
// words this build does not know: it can only say that they were there.
func formers(dir, but string, log *slog.Logger) (all []*Former, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if path == but {
			continue
		}
		f, err := openFormer(path)
		switch {
		case err == nil:
			all = append(all, f)
			continue
		case errors.Is(err, errOtherAbout):
			log.Warn("an attachment of another build was ended; what its ring held is lost, and not counted", "pins", path, "error", err)
		case !errors.Is(err, fs.ErrNotExist):
			return all, fmt.Errorf("attachment in %s: %w; remove it, and what its ring holds with it", path, err)
		}
		if err := errors.Join(unhookAll(path), removePins(path)); err != nil {
			return all, err
		}
	}
	return all, nil
}

// openFormer fails with fs.ErrNotExist where nothing was ever told from there.
func openFormer(dir string) (*Former, error) {
	about, err := readAboutOf(dir)
	if err != nil {
		return nil, err
	}
	f := &Former{dir: dir, about: about, maps: make(map[string]*ebpf.Map), raw: make(map[bpf.CountKey][]byte)}
	f.converter = bpf.NewConverter(f.Forms())
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Former) open() error {
	for name, options := range map[string]*ebpf.LoadPinOptions{
		pinAt(f.dir, pinnedMap, formerRing):     nil,
		pinAt(f.dir, pinnedMap, formerCounters): {ReadOnly: true},
		pinAt(f.dir, pinnedMap, formerCounts):   nil,
		pinAt(f.dir, pinnedMap, formerCgroups):  {ReadOnly: true},
		pinAt(f.dir, pinnedMap, formerZeroed):   nil,
		filepath.Join(f.dir, pinnedProgress):    nil,
	} {
		m, err := ebpf.LoadPinnedMap(name, options)
		if err != nil {
			return fmt.Errorf("%s: %v", name, err) // not ErrNotExist: it did tell
		}
		f.maps[name] = m
	}
	for _, name := range f.about.Programs {
		p, err := ebpf.LoadPinnedProgram(pinAt(f.dir, pinnedProgram, name), nil)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.stats = append(f.stats, p)
	}
	return f.check()
}

// check holds what about says against the maps: others than this program may have touched them.
func (f *Former) check() error {
	a, counters := &f.about, f.counters()
	outcomes := 8 * len(a.Kinds) * len(a.Outcomes)
	last := max(a.Counters.Runs, a.Counters.Ignored, a.Counters.Merged) + 8
	if len(a.Programs) > int(counters.MaxEntries()) || max(a.Counters.Outcomes+outcomes, last) > int(counters.ValueSize()) {
		return errors.New("its counters are not as it says")
	}
	if a.Given[0] < 0 || a.Given[1] < 0 || a.Given[0]+a.Given[1] > int(f.zeroed().ValueSize()) {
		return errors.New("its variables are not as it says")
	}
	return nil
}

// ID names the attachment.
func (f *Former) ID() schema.AttachmentID { return f.about.Attachment }

// Since is the moment from which on the attachment has told everything that it saw.
func (f *Former) Since() schema.BootTime { return f.about.Since }

// Ring is the ring buffer that its samples lie in. It stays the attachment's own.
func (f *Former) Ring() *ebpf.Map { return f.maps[pinAt(f.dir, pinnedMap, formerRing)] }

// Forms are those of its samples, by their kinds' numbers.
func (f *Former) Forms() (forms []bpf.Form) {
	for _, k := range f.about.Kinds {
		forms = append(forms, k.Form)
	}
	return forms
}

// Samples makes this build's samples of what is in the ring.
func (f *Former) Samples() *bpf.Converter { return f.converter }

// Rungs names the rung of each kind that it was covered by.
func (f *Former) Rungs() map[string]string {
	rungs := make(map[string]string)
	for _, k := range f.about.Kinds {
		if k.Rung != "" {
			rungs[k.Kind] = k.Rung
		}
	}
	return rungs
}

func (f *Former) counters() *ebpf.Map { return f.maps[pinAt(f.dir, pinnedMap, formerCounters)] }
func (f *Former) counts() *ebpf.Map   { return f.maps[pinAt(f.dir, pinnedMap, formerCounts)] }
func (f *Former) zeroed() *ebpf.Map   { return f.maps[pinAt(f.dir, pinnedMap, formerZeroed)] }
func (f *Former) progress() *ebpf.Map { return f.maps[filepath.Join(f.dir, pinnedProgress)] }

// Progress returns what SetProgress kept last, by whatever process.
func (f *Former) Progress() ([]byte, error) {
	text, err := readText(f.progress())
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	return text, nil
}

// SetProgress is Attachment.SetProgress.
func (f *Former) SetProgress(text []byte) error {
	if err := writeText(f.progress(), text); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	return nil
}

// Detach is Attachment.Detach. Its programs are told at once to give nothing any more, so that they and those of a
// new attachment tell of the same events for a moment alone.
func (f *Former) Detach() error {
	memory, err := f.zeroed().Memory()
	if err == nil {
		_, err = memory.WriteAt(make([]byte, f.about.Given[1]), int64(f.about.Given[0]))
	}
	if err == nil {
		err = unhookAll(f.dir)
	}
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

// End removes every pin, so that Close ends the attachment.
func (f *Former) End() error {
	if err := removePins(f.dir); err != nil {
		return fmt.Errorf("end attachment %s: %w", f.ID(), err)
	}
	return nil
}

// Close lets go of maps and programs. Without an end, the attachment lives on.
func (f *Former) Close() error {
	closeAll(f.maps)
	for _, p := range f.stats {
		if p != nil {
			p.Close()
		}
	}
	return nil
}

// Counters is Attachment.Counters, of the kinds that it has covered.
func (f *Former) Counters() (c Counters, err error) {
	kinds := make([]KindSums, len(f.about.Kinds))
	for index, p := range f.stats {
		if p == nil {
			continue
		}
		sums := ProgramSums{Program: bpf.Program{Index: uint16(index), Name: f.about.Programs[index]}, MissedUnknown: f.about.Unknown}
		if err := f.add(&sums, kinds); err != nil {
			return Counters{}, fmt.Errorf("read counters of %s: %w", sums.Program.Name, err)
		}
		stats, err := p.Stats()
		if err != nil {
			return Counters{}, fmt.Errorf("read misses of %s: %w", sums.Program.Name, err)
		}
		sums.Missed = stats.RecursionMisses
		c.Programs = append(c.Programs, sums)
	}
	for number, k := range f.about.Kinds {
		if k.Rung == "" {
			continue
		}
		kinds[number].Name, kinds[number].Programs = k.Kind, k.Programs
		kinds[number].Kind, _ = bpf.KindNamed(k.Kind)
		c.Kinds = append(c.Kinds, kinds[number])
	}
	return c, nil
}

// Cgroup is Attachment.Cgroup, where the other build told paths as this one does.
func (f *Former) Cgroup(key bpf.CgroupKey) (path bpf.CgroupPath, ok bool) {
	m := f.maps[pinAt(f.dir, pinnedMap, formerCgroups)]
	if m == nil || m.KeySize() != uint32(unsafe.Sizeof(key)) || m.ValueSize() != uint32(unsafe.Sizeof(path)) {
		return path, false
	}
	return path, m.Lookup(&key, &path) == nil
}

// Doze does nothing: nothing comes any more.
func (f *Former) Doze() error { return nil }

// Counts returns what was counted by key, once the attachment is detached, in the order of the keys. What this build
// does not read is left out: it stays counted, and told by nobody.
func (f *Former) Counts() (all []bpf.Counted, err error) {
	var key, value []byte
	entries := f.counts().Iterate()
	for entries.Next(&key, &value) {
		counted, err := f.converter.Count(key, value)
		if _, unknown := errors.AsType[*bpf.ForeignError](err); unknown {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read counts: %w", err)
		}
		f.raw[counted.Key] = slices.Clone(key)
		all = append(all, bpf.Counted{Key: counted.Key, Count: counted.Count})
	}
	if err := entries.Err(); err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	slices.SortFunc(all, func(a, b bpf.Counted) int { return a.Key.Compare(b.Key) })
	return all, nil
}

// DropCounts is Attachment.DropCounts.
func (f *Former) DropCounts(counted []bpf.Counted) error {
	for _, c := range counted {
		if err := f.counts().Delete(f.raw[c.Key]); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("drop what was counted: %w", err)
		}
	}
	return nil
}

// add adds up what the program has counted on each CPU: its ways out first, as Attachment.Counters does.
func (f *Former) add(sums *ProgramSums, kinds []KindSums) error {
	var cpus [][]byte
	if err := f.counters().Lookup(uint32(sums.Program.Index), &cpus); err != nil {
		return err
	}
	at := f.about.Counters
	for _, counted := range cpus {
		sums.Ignored += counter(counted, at.Ignored)
		sums.Merged += counter(counted, at.Merged)
		for kind := range kinds {
			for o, name := range f.about.Outcomes {
				n := counter(counted, at.Outcomes+8*(kind*len(f.about.Outcomes)+o))
				sums.Seen += n
				kinds[kind].Outcomes[outcomeNamed(name)] += n
			}
		}
	}
	if err := f.counters().Lookup(uint32(sums.Program.Index), &cpus); err != nil {
		return err
	}
	for _, counted := range cpus {
		sums.Runs += counter(counted, at.Runs)
	}
	return nil
}

func counter(counted []byte, at int) uint64 { return binary.NativeEndian.Uint64(counted[at:]) }

// outcomeNamed returns the outcome of the name. One that this build does not know is no sample in the ring: counted.
func outcomeNamed(name string) bpf.Outcome {
	for o := range bpf.OutcomeCount {
		if o.String() == name {
			return o
		}
	}
	return bpf.OutcomeCounted
}

// unhookAll removes the links, and returns when their programs run no more: whoever closes the last
// descriptor of a link whose pin is gone waits for its end.
func unhookAll(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, pinnedLink+"*"))
	if err != nil {
		return err
	}
	var links []link.Link
	for _, pin := range found {
		l, err := link.LoadPinnedLink(pin, nil)
		if err != nil {
			return errors.Join(err, closeLinks(slices.Clip(links)))
		}
		links = append(links, l)
	}
	if err := removeMatching(dir, pinnedLink+"*"); err != nil {
		return errors.Join(err, closeLinks(links))
	}
	return closeLinks(links)
}

// closeLinks closes links whose pins were just removed. The kernel gives up a removed pin's hold after a grace
// period (bpf_free_inode); the last hold is to be the descriptor, as only its end is waited for.
func closeLinks(links []link.Link) error {
	errs := []error{waitForPrograms()}
	for _, l := range links {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, waitForPrograms())...)
}
