package ecs

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// layout is what New makes of the descriptors: everything about documents that no batch changes.
type layout struct {
	bindings  []binding
	fragments []*fragment
	programs  []*program // by the kind's number
	unknown   *program   // of kinds that this weir does not know
}

// binding is a column that documents read. A value names it by its index.
type binding struct {
	table  *schema.Table
	column *schema.Column
}

// program renders the rows of one kind.
type program struct {
	specs  []spec
	root   step
	target int // binding of the column that names another process than the actor; -1 is none
}

// compiled is the layout, which all encoders share.
var compiled = sync.OnceValues(compile)

// compiler is a layout that grows. Its first fault is kept, and ends compile.
type compiler struct {
	layout
	shared []spec // of every kind's documents
	ids    int
	known  map[string]*fragment
	err    error
}

func compile() (*layout, error) {
	c := &compiler{known: map[string]*fragment{}}
	c.shared = c.sharedSpecs()
	c.unknown = c.program(c.shared, -1)
	for k := range schema.Kinds() {
		for uint32(len(c.programs)) <= k.Number {
			c.programs = append(c.programs, nil)
		}
		specs, target := c.kindSpecs(k)
		c.programs[k.Number] = c.program(specs, target)
		if c.err != nil {
			return nil, fmt.Errorf("ecs: kind %v: %w", k, c.err)
		}
	}
	return &c.layout, c.err
}

func (c *compiler) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *compiler) program(specs []spec, target int) *program {
	tree, err := grow(specs)
	if err != nil {
		c.fail("%w", err)
		return nil
	}
	return &program{specs: specs, root: c.object("{", tree.children), target: target}
}

// sharedSpecs returns the specs of all that does not stand in a kind's own group.
func (c *compiler) sharedSpecs() []spec {
	specs := c.table(schema.Common, fromCommon, "")
	specs = append(specs, c.computed("event.id", fromCommon, appendEventID))
	specs = append(specs, c.constant("ecs.version", Version), c.constant("event.module", "weir"),
		c.constant("agent.type", "weir"), c.constant("host.os.type", "linux"))
	specs = append(specs, c.process(fromActor, weirv1.Role_ROLE_ACTOR)...)
	specs = append(specs, c.process(fromParent, weirv1.Role_ROLE_PARENT)...)
	specs = append(specs, c.process(fromCreator, weirv1.Role_ROLE_CREATOR)...)
	specs = append(specs, c.table(schema.Credentials, fromCredentials, schema.Credentials.Options.GetEcs())...)
	specs = append(specs, c.table(schema.Cgroups, fromCgroup, schema.Cgroups.Options.GetEcs())...)
	specs = append(specs, c.table(schema.Rungs, fromRung, schema.Rungs.Options.GetEcs())...)
	specs = append(specs, c.message(&weirv1.Header{}, fromHeader)...)
	specs = append(specs, c.message(&weirv1.Instance{}, fromInstance)...)
	specs = append(specs, c.message(&weirv1.Deploy{}, fromDeploy)...)
	specs = append(specs, c.message(&weirv1.Enrichment{}, fromEnrichment)...)
	// People read from the left: the time first, what is only weir's last.
	slices.SortStableFunc(specs, func(a, b spec) int { return lateness(a.path) - lateness(b.path) })
	return specs
}

// lateness puts what ECS does not know behind the rest.
func lateness(path string) int {
	if strings.HasPrefix(path, ownPrefix) {
		return 1
	}
	return 0
}

// kindSpecs returns all specs of a kind, and the binding of the column that names another process.
func (c *compiler) kindSpecs(k *schema.Kind) (specs []spec, target int) {
	target = -1
	specs = slices.Concat(c.shared, c.kindConstants(k), c.table(&k.Table, fromRow, ""))
	for i := range k.Columns {
		column := &k.Columns[i]
		if column.Field.GetForm() != weirv1.Form_FORM_PROCESS {
			continue
		}
		role := column.Field.GetRole()
		if roles[role] == "" || target >= 0 {
			c.fail("column %s: a row names one process, and none as %v", column.Name, role)
		}
		target = c.bind(&k.Table, column)
		specs = append(specs, c.process(fromTarget, role)...)
	}
	return specs, target
}

func (c *compiler) kindConstants(k *schema.Kind) []spec {
	o := k.Options
	noun, _, _ := strings.Cut(k.Name, ".")
	if noun == "weir" {
		noun = "self"
	}
	kind := o.GetEventKind()
	if kind == "" {
		kind = "event"
	}
	specs := []spec{
		c.constant("event.kind", kind), c.constants("event.category", o.GetCategory()),
		c.constants("event.type", o.GetType()), c.constant("event.action", o.GetAction()),
		c.constant("event.dataset", "weir."+noun),
	}
	if o.GetEndsProcess() {
		specs = append(specs, c.spec("event.start", fromCommon, "date", appendActorStart),
			c.spec("event.duration", fromCommon, "long", appendActorLifetime))
	}
	for _, constant := range o.GetConstants() {
		if constant.GetEcs() != "" {
			specs = append(specs, c.constant(constant.GetEcs(), constant.GetValue()))
		}
	}
	return specs
}

func (c *compiler) process(from source, role weirv1.Role) []spec {
	specs := c.table(schema.Processes, from, roles[role])
	if path := schema.Processes.Options.GetEntityId(); path != "" {
		specs = append(specs, c.computed(place(roles[role], path), from, appendEntityID))
	}
	return specs
}

func (c *compiler) table(t *schema.Table, from source, base string) []spec {
	var specs []spec
	for i := range t.Columns {
		if column := &t.Columns[i]; column.Field.GetEcs() != "" {
			specs = append(specs, c.column(t, column, from, base)...)
		}
	}
	return specs
}

// bind makes documents read a column, and returns the index of its binding.
func (c *compiler) bind(t *schema.Table, column *schema.Column) int {
	b := binding{t, column}
	if i := slices.Index(c.bindings, b); i >= 0 {
		return i
	}
	c.bindings = append(c.bindings, b)
	return len(c.bindings) - 1
}

func (c *compiler) spec(path string, from source, mapping string, v value) spec {
	c.ids++
	return spec{id: c.ids, path: path, source: from, mapping: mapping, value: v}
}

func (c *compiler) constant(path, text string) spec {
	json := appendString(nil, text)
	return c.spec(path, fromKind, "keyword", func(_ *Documents, dst []byte) []byte { return append(dst, json...) })
}

// constants is an array of texts, as ECS wants event.category and event.type to be even where there is but one.
func (c *compiler) constants(path string, texts []string) spec {
	var json []byte
	for _, text := range texts {
		json = append(appendString(json, text), ',')
	}
	if len(json) > 0 {
		json = append(append([]byte{'['}, json[:len(json)-1]...), ']')
	}
	return c.spec(path, fromKind, "keyword", func(_ *Documents, dst []byte) []byte { return append(dst, json...) })
}

// computed is a value that is made of an entry as a whole.
func (c *compiler) computed(path string, from source, f func(d *Documents, dst []byte, entry int) []byte) spec {
	return c.spec(path, from, "keyword", func(d *Documents, dst []byte) []byte {
		if entry := d.entry[from]; entry > 0 {
			return f(d, dst, entry-1)
		}
		return dst
	})
}
