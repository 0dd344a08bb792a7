package attach

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/weirproject/weir/bpf"
)

// loader tries rungs. It keeps what it has attached, as a program may serve several kinds.
type loader struct {
	spec      *ebpf.CollectionSpec
	ladders   bpf.Ladders
	kernel    *btf.Spec
	cache     *btf.Cache
	mountInfo string
	bought    []bpf.Kind
	pins      *pins // nil: nothing is kept

	objects  *ebpf.Collection
	programs map[string]*program // attached
	refused  map[string]error    // tried in vain
}

// program is one program on its hook.
type program struct {
	bpf.Program
	loaded *ebpf.Program
	link   link.Link // nil once detached
	kept   bool      // it was pinned, and may have told something
}

func newLoader(cfg Config, kernel *btf.Spec, kept *pins) (*loader, error) {
	spec, err := bpf.Spec(bpf.Settings{RingBytes: cfg.RingBytes, Sockets: cfg.Sockets, Environment: cfg.Environment})
	if err != nil {
		return nil, err
	}
	ladders := cfg.ladders
	if ladders == nil {
		if ladders, err = bpf.ReadLadders(spec); err != nil {
			return nil, err
		}
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, &Refused{Rung: "every rung", Need: needRoot, Err: err}
	}
	if !fetches() {
		bpf.ReplaceFetch(spec)
	}
	l := &loader{
		spec: spec, ladders: ladders, kernel: kernel, cache: btf.NewCache(), mountInfo: cfg.MountInfo, bought: cfg.Bought, pins: kept,
		programs: make(map[string]*program), refused: make(map[string]error),
	}
	if err := l.createMaps(); err != nil {
		return nil, err
	}
	return l, nil
}

// createMaps takes the pinned maps, and makes those that are not.
func (l *loader) createMaps() error {
	maps, err := l.pins.maps(l.spec)
	if err != nil {
		return err
	}
	defer closeAll(maps)
	l.objects, err = ebpf.NewCollectionWithOptions(bpf.Only(l.spec), ebpf.CollectionOptions{MapReplacements: maps})
	if err != nil && maps != nil {
		return l.pins.unusable(err)
	}
	if err != nil {
		return need("every rung", fmt.Errorf("create maps: %w", err))
	}
	return nil
}

// given is where the variable lies that tells the programs what to give.
func (l *loader) given() bpf.Place {
	v := l.spec.Variables[bpf.VarGiven]
	return bpf.Place{int(v.Offset), int(v.Size())}
}

// fetches reports whether the kernel has atomic instructions that return values.
func fetches() bool {
	p, err := ebpf.NewProgram(bpf.FetchProbe())
	if err != nil {
		return false
	}
	p.Close()
	return true
}

// errKept is why a rung is not tried: what an attachment has counted must not go back.
var errKept = errors.New("the attachment was made without it")

// cover takes the kind's first rung that holds; of an attachment that was there before, the one that it has.
func (l *loader) cover(kind bpf.Kind) Coverage {
	c := Coverage{Kind: kind}
	kept := slices.IndexFunc(l.ladders[kind], l.isKept)
	for i, rung := range l.ladders[kind] {
		if i < kept {
			c.Refused = append(c.Refused, &Refused{Rung: rung.String(), Need: "a new attachment", Err: errKept})
			continue
		}
		if rung.Price != "" && !slices.Contains(l.bought, kind) {
			c.Refused = append(c.Refused, forSale(rung))
			continue
		}
		err := l.take(rung)
		if err == nil {
			c.Rung = &rung
			return c
		}
		c.Refused = append(c.Refused, need(rung.String(), err))
	}
	return c
}

func (l *loader) isKept(r bpf.Rung) bool {
	return !slices.ContainsFunc(r.Programs, func(p bpf.Program) bool { return !l.pins.has(p.Name) })
}

// take attaches all of the rung's programs.
func (l *loader) take(rung bpf.Rung) error {
	for _, p := range rung.Programs {
		err := l.attach(p)
		if err != nil && len(rung.Programs) > 1 {
			return fmt.Errorf("%s: %w", p.Hook, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) attach(p bpf.Program) error {
	if l.programs[p.Name] != nil {
		return nil
	}
	if err := l.refused[p.Name]; err != nil {
		return err
	}
	attached, err := l.try(p)
	if err != nil {
		l.refused[p.Name] = err
		return err
	}
	l.programs[p.Name] = attached
	return nil
}

func (l *loader) try(p bpf.Program) (*program, error) {
	if l.pins.has(p.Name) {
		return l.open(p)
	}
	if err := p.Check(l.kernel); err != nil {
		return nil, err
	}
	loaded, err := l.load(p.Name)
	if err != nil {
		return nil, err
	}
	return l.onHook(&program{Program: p, loaded: loaded})
}

// open takes a pinned program, and puts it back onto its hook where a run was killed while it took it off.
func (l *loader) open(p bpf.Program) (*program, error) {
	loaded, err := l.pins.program(p.Name)
	if err != nil {
		return nil, err
	}
	opened := &program{Program: p, loaded: loaded, kept: true}
	opened.link, err = l.pins.link(p.Name)
	missing := errors.Is(err, os.ErrNotExist)
	if missing {
		err = l.forgetSockets()
	}
	if err != nil {
		return nil, errors.Join(err, loaded.Close())
	}
	if missing {
		return l.onHook(opened)
	}
	return opened, nil
}

// forgetSockets is for programs that were off their hooks: of the sockets that they remember some have ended, and
// others have begun at the same addresses. Their events would be told in the name of whoever opened the former.
func (l *loader) forgetSockets() error {
	var epoch uint32
	if err := l.objects.Variables[bpf.VarSocketEpoch].Get(&epoch); err != nil {
		return fmt.Errorf("forget sockets: %w", err)
	}
	if err := l.objects.Variables[bpf.VarSocketEpoch].Set(epoch + 1); err != nil {
		return fmt.Errorf("forget sockets: %w", err)
	}
	return l.emptyTable()
}

// emptyTable makes room: of a former epoch nobody deletes an entry.
func (l *loader) emptyTable() error {
	m, err := ebpf.LoadPinnedMap(l.pins.at(pinnedMap, bpf.MapSockets), nil)
	if err != nil {
		return err
	}
	defer m.Close()
	var keys []uint64
	var key uint64
	var value []byte
	entries := m.Iterate()
	for entries.Next(&key, &value) {
		keys = append(keys, key)
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("forget sockets: %w", err)
	}
	for _, key := range keys {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget sockets: %w", err)
		}
	}
	return nil
}

func (l *loader) onHook(p *program) (*program, error) {
	hooked, err := l.hook(p.loaded, p.Hook)
	if err != nil {
		return nil, errors.Join(err, p.loaded.Close())
	}
	p.link = hooked
	return p, nil
}

// load loads one program, which shares the maps of all.
func (l *loader) load(name string) (*ebpf.Program, error) {
	collection, err := ebpf.NewCollectionWithOptions(bpf.Only(l.spec, name), ebpf.CollectionOptions{
		Programs:        ebpf.ProgramOptions{KernelTypes: l.kernel},
		MapReplacements: l.objects.Maps,
		Cache:           l.cache,
	})
	if err != nil {
		return nil, err
	}
	defer collection.Close()
	return collection.DetachProgram(name), nil
}

// release lets go of what no kind's rung needs, as another program of the rung was refused, and returns the
// rest in the order in which it was to be attached.
func (l *loader) release(coverage []Coverage) []*program {
	needed := make(map[string]bool)
	for _, c := range coverage {
		if c.Rung == nil {
			continue
		}
		for _, p := range c.Rung.Programs {
			needed[p.Name] = true
		}
	}
	for name, p := range l.programs {
		if !needed[name] && !p.kept {
			p.close() // nothing that it did is of use: its runs were ignored
			delete(l.programs, name)
		}
	}
	return slices.SortedFunc(maps.Values(l.programs), func(a, b *program) int { return int(a.Index) - int(b.Index) })
}

func (p *program) detach() error {
	if p.link == nil {
		return nil
	}
	err := p.link.Close()
	p.link = nil
	if err != nil {
		return fmt.Errorf("detach %s: %w", p.Name, err)
	}
	return nil
}

func (p *program) close() error { return errors.Join(p.detach(), p.loaded.Close()) }
