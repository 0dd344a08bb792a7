// Package attach puts weir's programs onto the running kernel, and takes them off again.
//
//	bpf.Ladders ─► for each kind, rung by rung: check, load, attach ─► Attachment
//	                      └─ Refused: which rung, what it needs              ├─ Ring: samples, for collector/ring
//	                                                                         ├─ Seed: processes that were there before
//	                                                                         └─ Counters: the ledger's kernel side
//
// An attachment with a name outlives its process, by pins (pins.go): the next New of that name goes on with its
// hooks, counters and ring, and finds what Progress was saved. Where another build or configuration has made it, it is
// a Former, whose ring is read to its end.
//
// It is the only writer of kernel maps. It starts no goroutine; an Attachment is for one goroutine at a time,
// but for Counters, which may run beside anything but Detach and Close.
package attach

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
)

// Coverage is what became of one kind.
type Coverage struct {
	Kind    bpf.Kind
	Rung    *bpf.Rung  // the one that holds; nil: the kind is not covered
	Refused []*Refused // the rungs before it, in their order, and why not
}

// ForSale reports whether the kind is not covered only because the rung that would is not bought.
func (c Coverage) ForSale() bool {
	return c.Rung == nil && slices.ContainsFunc(c.Refused, func(r *Refused) bool { return r.Price != "" })
}

// Attachment is weir's programs on this kernel. It lives until Close; where it is Kept, until End.
type Attachment struct {
	objects  *ebpf.Collection    // maps and variables, which all programs share
	programs map[string]*program // attached, by name
	order    []*program          // as they were attached
	seed     seeds
	coverage []Coverage
	misses   bool // the kernel counts what it did not run
	id       schema.AttachmentID
	since    schema.BootTime // when the programs had been told what to give
	given    bpf.Place       // of the variable that tells them, in its map
	pins     *pins           // nil: it ends with this process
	formers  []*Former
}

// New loads and attaches the best rung of every wanted kind. All begin to tell at once, when every one of them
// is in its place. A kind without a rung stands in Coverage and is no error, unless there is none with one.
func New(cfg Config) (*Attachment, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	kernel, err := kernelTypes(cfg.BTF)
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	a := &Attachment{misses: countsMisses(kernel)}
	if err := a.open(cfg, kernel); err != nil {
		return nil, errors.Join(fmt.Errorf("attach: %w", err), a.Close())
	}
	return a, nil
}

func (a *Attachment) open(cfg Config, kernel *btf.Spec) (err error) {
	if err := a.openPins(cfg); err != nil {
		return err
	}
	l, err := newLoader(cfg, kernel, a.pins)
	if err != nil {
		return err
	}
	a.objects, a.programs, a.given = l.objects, l.programs, l.given()
	if err := a.climb(cfg.Kinds, l); err != nil {
		return err
	}
	a.keep(cfg.Log)
	if err := a.give(); err != nil {
		return err
	}
	return a.begin()
}

// climb takes every wanted kind's best rung.
func (a *Attachment) climb(kinds []bpf.Kind, l *loader) error {
	var err error
	if a.seed, err = l.loadSeeds(); err != nil {
		return err
	}
	for _, kind := range kinds {
		a.coverage = append(a.coverage, l.cover(kind))
	}
	a.order = l.release(a.coverage)
	if len(a.order) == 0 {
		return uncovered(a.coverage)
	}
	return nil
}

// give tells the programs which kinds to give. Where they have given before, what is counted from now on is of an
// epoch of its own: whoever read the attachment as a former one has told all of the last one.
func (a *Attachment) give() error {
	if a.Resumed() {
		if _, err := a.nextEpoch(); err != nil {
			return fmt.Errorf("begin an epoch of counting: %w", err)
		}
	}
	var given bpf.Given
	for _, c := range a.coverage {
		if c.Rung != nil {
			given.Add(*c.Rung)
		}
	}
	return a.set(given)
}

func (a *Attachment) set(given bpf.Given) error {
	if err := a.objects.Variables[bpf.VarGiven].Set(&given); err != nil {
		return fmt.Errorf("tell the programs what to give: %w", err)
	}
	return nil
}

// uncovered joins why each kind has no rung.
func uncovered(coverage []Coverage) error {
	errs := []error{errors.New("no kind has a rung on this kernel")}
	for _, c := range coverage {
		for _, r := range c.Refused {
			errs = append(errs, fmt.Errorf("%s by %w", c.Kind, r))
		}
	}
	return errors.Join(errs...)
}

// Coverage tells each wanted kind's rung, and why better ones were refused.
func (a *Attachment) Coverage() []Coverage { return slices.Clone(a.coverage) }

// Programs returns the programs that are attached; samples name them by their index.
func (a *Attachment) Programs() []bpf.Program {
	programs := make([]bpf.Program, len(a.order))
	for i, p := range a.order {
		programs[i] = p.Program
	}
	return programs
}

// Ring is the ring buffer that samples come through. It stays the attachment's own.
func (a *Attachment) Ring() *ebpf.Map { return a.objects.Maps[bpf.MapRing] }

// Doze has the next sample wake the ring's reader, who therefore need not look often. Once in a while that fails: it
// has to look all the same.
func (a *Attachment) Doze() error {
	if err := a.objects.Variables[bpf.VarReaderDozes].Set(uint32(1)); err != nil {
		return fmt.Errorf("doze: %w", err)
	}
	return nil
}

// Detach takes the programs off their hooks, and returns when none of them tells anything more: the outcomes
// stand still from then on, and the ring gets nothing new. A program whose link was pinned may still run for a
// moment, and counts as ignored.
func (a *Attachment) Detach() error {
	var links []link.Link
	for _, p := range slices.Backward(a.order) {
		if p.link != nil {
			links = append(links, p.link)
			p.link = nil
		}
	}
	err := errors.Join(a.pins.unhook(), a.set(bpf.Given{}), closeLinks(links))
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

// Close lets go of programs, maps and ring. What is pinned lives on: without an end, the attachment does. What is
// not is detached by it.
func (a *Attachment) Close() error {
	var errs []error
	for _, p := range a.programs {
		errs = append(errs, p.close())
	}
	for _, f := range a.formers {
		errs = append(errs, f.Close())
	}
	errs = append(errs, a.seed.close())
	if a.objects != nil {
		a.objects.Close()
	}
	return errors.Join(append(errs, a.pins.close())...)
}

// kernelTypes reads the running kernel's types, without which nothing can be attached.
func kernelTypes(path string) (*btf.Spec, error) {
	types, err := btf.LoadSpec(path)
	if err != nil {
		return nil, &Refused{
			Rung: "every rung",
			Need: "the kernel's types in " + path + " (CONFIG_DEBUG_INFO_BTF=y, Linux 5.10 or newer)",
			Err:  err,
		}
	}
	return types, nil
}
