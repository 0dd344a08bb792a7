package attach

import (
	"errors"
	"fmt"
	"maps"
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

	objects  *ebpf.Collection
	programs map[string]*program // attached
	refused  map[string]error    // tried in vain
}

// program is one program on its hook.
type program struct {
	bpf.Program
	loaded *ebpf.Program
	link   link.Link // nil once detached
}

func newLoader(cfg Config, kernel *btf.Spec) (*loader, error) {
	spec, err := bpf.Spec(bpf.Settings{RingBytes: cfg.RingBytes, Sockets: cfg.Sockets})
	if err != nil {
		return nil, err
	}
	ladders, err := bpf.ReadLadders(spec)
	if err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, &Refused{Rung: "every rung", Need: needRoot, Err: err}
	}
	if !fetches() {
		bpf.ReplaceFetch(spec)
	}
	l := &loader{
		spec: spec, ladders: ladders, kernel: kernel, cache: btf.NewCache(), mountInfo: cfg.MountInfo,
		programs: make(map[string]*program), refused: make(map[string]error),
	}
	l.objects, err = ebpf.NewCollection(bpf.Only(spec))
	if err != nil {
		return nil, need("every rung", fmt.Errorf("create maps: %w", err))
	}
	return l, nil
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

// cover takes the kind's first rung that holds.
func (l *loader) cover(kind bpf.Kind) Coverage {
	c := Coverage{Kind: kind}
	for _, rung := range l.ladders[kind] {
		err := l.take(rung)
		if err == nil {
			c.Rung = &rung
			return c
		}
		c.Refused = append(c.Refused, need(rung.String(), err))
	}
	return c
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
	if err := p.Check(l.kernel); err != nil {
		return nil, err
	}
	loaded, err := l.load(p.Name)
	if err != nil {
		return nil, err
	}
	hooked, err := l.hook(loaded, p.Hook)
	if err != nil {
		return nil, errors.Join(err, loaded.Close())
	}
	return &program{p, loaded, hooked}, nil
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
		if !needed[name] {
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
