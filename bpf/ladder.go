package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Program is one program of the object.
type Program struct {
	Index uint16     // in samples and counters: enum program
	Name  string     // <domain>__<hook>
	Hook  string     // the section, such as "tp_btf/sched_process_exec"
	Takes *Signature // what the hook has to look like; nil where nothing depends on it
	Price string     // for people: what it costs beside its runs; empty where nothing
}

// Signature is what a hook has to take: a program for another signature may load and read garbage.
type Signature struct {
	Hook      string // function or tracepoint
	Arguments int
}

// Rung is a set of programs that together give a kind.
type Rung struct {
	Kind     Kind
	Order    int       // within the kind's ladder; 1 is tried first
	Programs []Program // in the order in which they are attached
	Lacks    []string  // fields that its events have not, or when
	Misses   []string  // ways in that it does not see
	Price    string    // for people: what it costs those whom no event is about; empty where nothing
}

// Admits reports whether the rung says of itself that it lacks or misses this.
func (r Rung) Admits(gap string) bool {
	return slices.Contains(r.Lacks, gap) || slices.Contains(r.Misses, gap)
}

// Gaps tells in one line what the rung lacks and misses; nothing of one that is whole.
func (r Rung) Gaps() string {
	var gaps []string
	if len(r.Lacks) > 0 {
		gaps = append(gaps, "lacks "+strings.Join(r.Lacks, "; "))
	}
	if len(r.Misses) > 0 {
		gaps = append(gaps, "misses "+strings.Join(r.Misses, "; "))
	}
	return strings.Join(gaps, "; ")
}

// String returns the rung's hooks, such as "fexit/tcp_v4_connect+tp_btf/inet_sock_set_state".
func (r Rung) String() string {
	hooks := make([]string, len(r.Programs))
	for i, p := range r.Programs {
		hooks[i] = p.Hook
	}
	return strings.Join(hooks, "+")
}

// Ladders are the rungs of every kind, the best first.
type Ladders map[Kind][]Rung

// ReadLadders derives the ladders from the tags of the programs in spec.
func ReadLadders(spec *ebpf.CollectionSpec) (Ladders, error) {
	ladders := Ladders{}
	for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
		tagged, err := readProgram(spec.Programs[name])
		if err != nil {
			return nil, fmt.Errorf("program %s: %w", name, err)
		}
		for _, own := range tagged.parts {
			ladders.add(own, tagged.Program)
		}
	}
	for _, ladder := range ladders {
		slices.SortFunc(ladder, func(a, b Rung) int { return a.Order - b.Order })
	}
	return ladders, nil
}

func (l Ladders) add(own part, p Program) {
	i := slices.IndexFunc(l[own.kind], func(r Rung) bool { return r.Order == own.order })
	if i < 0 {
		l[own.kind] = append(l[own.kind], Rung{Kind: own.kind, Order: own.order})
		i = len(l[own.kind]) - 1
	}
	rung := &l[own.kind][i]
	rung.Programs = append(rung.Programs, p)
	slices.SortFunc(rung.Programs, func(a, b Program) int { return cmp.Compare(a.Index, b.Index) })
	rung.Lacks = union(rung.Lacks, own.lacks)
	rung.Misses = union(rung.Misses, own.misses)
	rung.Price = cmp.Or(rung.Price, p.Price)
}

// items are what stands between semicolons.
func items(text string) (all []string) {
	for item := range strings.SplitSeq(text, ";") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

func union(all, more []string) []string {
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// part is a program's in one rung, by GIVES and MISSES: a rung's programs say together what it lacks and misses.
type part struct {
	kind   Kind
	order  int
	given  bool
	lacks  []string
	misses []string
}

type taggedProgram struct {
	Program
	parts []part
}

func readProgram(spec *ebpf.ProgramSpec) (taggedProgram, error) {
	p := taggedProgram{Program: Program{Name: spec.Name, Hook: spec.SectionName}}
	index, ok := enumerators().programs[spec.Name]
	if !ok {
		return p, errors.New("enum program does not have it")
	}
	p.Index = index
	function := btf.FuncMetadata(&spec.Instructions[0])
	if function == nil {
		return p, errors.New("has no type information")
	}
	for _, tag := range function.Tags {
		if err := p.read(tag); err != nil {
			return p, fmt.Errorf("tag %q: %w", tag, err)
		}
	}
	for _, own := range p.parts {
		if !own.given {
			return p, fmt.Errorf("misses something as rung %d of %s, which it does not give", own.order, own.kind)
		}
	}
	return p, nil
}

func (p *taggedProgram) read(tag string) error {
	word, rest, _ := strings.Cut(tag, ":")
	if word == "costs" && rest != "" {
		p.Price = rest
		return nil
	}
	name, rest, _ := strings.Cut(rest, ":")
	first, rest, _ := strings.Cut(rest, ":")
	number, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	if word == "takes" {
		p.Takes = &Signature{name, number}
		return nil
	}
	kind, ok := KindNamed(name)
	if !ok {
		return errors.New("enum kind does not have it")
	}
	own := p.part(kind, number)
	switch word {
	case "gives":
		own.given = true
		own.lacks = union(own.lacks, items(rest))
	case "misses":
		own.misses = append(own.misses, rest)
	default:
		return errors.New("is none of gives, misses, takes and costs")
	}
	return nil
}

// part returns the program's part in a rung.
func (p *taggedProgram) part(kind Kind, order int) *part {
	i := slices.IndexFunc(p.parts, func(own part) bool { return own.kind == kind && own.order == order })
	if i < 0 {
		i = len(p.parts)
		p.parts = append(p.parts, part{kind: kind, order: order})
	}
	return &p.parts[i]
}

// A SignatureError says that a hook of this kernel is not the one that a program is for.
type SignatureError struct {
	Signature
	Found int // arguments; -1 where there is no such hook
}

func (e *SignatureError) Error() string {
	if e.Found < 0 {
		return fmt.Sprintf("%s: not in this kernel", e.Hook)
	}
	return fmt.Sprintf("%s takes %d arguments, not %d", e.Hook, e.Found, e.Arguments)
}

// Check compares the program's signature with the kernel's types.
func (p Program) Check(kernel *btf.Spec) error {
	if p.Takes == nil {
		return nil
	}
	found := argumentsOf(kernel, p)
	if found == p.Takes.Arguments {
		return nil
	}
	return &SignatureError{*p.Takes, found}
}

func argumentsOf(kernel *btf.Spec, p Program) int {
	if strings.HasPrefix(p.Hook, "tp_btf/") {
		return tracepointArguments(kernel, p.Takes.Hook)
	}
	var function *btf.Func
	if err := kernel.TypeByName(p.Takes.Hook, &function); err != nil {
		return -1
	}
	return parameters(function.Type)
}

// tracepointArguments counts without the first one, which is the tracepoint's own.
func tracepointArguments(kernel *btf.Spec, name string) int {
	var typedef *btf.Typedef
	if err := kernel.TypeByName("btf_trace_"+name, &typedef); err != nil {
		return -1
	}
	pointer, ok := typedef.Type.(*btf.Pointer)
	if !ok {
		return -1
	}
	return max(parameters(pointer.Target)-1, -1)
}

func parameters(t btf.Type) int {
	if prototype, ok := t.(*btf.FuncProto); ok {
		return len(prototype.Params)
	}
	return -1
}
