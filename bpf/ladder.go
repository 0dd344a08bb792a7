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
	Lacks    string    // for people: what it cannot tell
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
		for _, g := range tagged.gives {
			ladders.add(g, tagged.Program)
		}
	}
	for _, ladder := range ladders {
		slices.SortFunc(ladder, func(a, b Rung) int { return a.Order - b.Order })
	}
	return ladders, nil
}

func (l Ladders) add(g gift, p Program) {
	i := slices.IndexFunc(l[g.kind], func(r Rung) bool { return r.Order == g.order })
	if i < 0 {
		l[g.kind] = append(l[g.kind], Rung{Kind: g.kind, Order: g.order})
		i = len(l[g.kind]) - 1
	}
	rung := &l[g.kind][i]
	rung.Programs = append(rung.Programs, p)
	slices.SortFunc(rung.Programs, func(a, b Program) int { return cmp.Compare(a.Index, b.Index) })
	rung.Lacks = strings.TrimPrefix(strings.TrimSuffix(rung.Lacks+"; "+g.lacks, "; "), "; ")
}

// gift is one kind that a program gives, as the macro GIVES says it.
type gift struct {
	kind  Kind
	order int
	lacks string
}

type taggedProgram struct {
	Program
	gives []gift
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
	return p, nil
}

func (p *taggedProgram) read(tag string) error {
	word, rest, _ := strings.Cut(tag, ":")
	name, rest, _ := strings.Cut(rest, ":")
	first, rest, _ := strings.Cut(rest, ":")
	number, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	switch word {
	case "gives":
		kind, ok := KindNamed(name)
		if !ok {
			return errors.New("enum kind does not have it")
		}
		p.gives = append(p.gives, gift{kind, number, rest})
	case "takes":
		p.Takes = &Signature{name, number}
	default:
		return errors.New("is none of gives and takes")
	}
	return nil
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
