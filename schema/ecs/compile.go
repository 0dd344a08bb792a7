package ecs

import (
	"fmt"
	"strings"
)

// object compiles an object: what one cached source gives becomes one step, in the place of its first
// member; the rest follows one by one.
func (c *compiler) object(open string, members []*node) *object {
	o := &object{open: []byte(open)}
	done := map[source]bool{}
	for _, n := range members {
		from, ok := n.owner()
		switch {
		case !ok || !from.cached() && from != fromKind:
			o.steps = append(o.steps, c.node(n))
		case !done[from]:
			done[from] = true
			o.steps = append(o.steps, c.owned(from, members))
		}
	}
	return o
}

// owned compiles the members that all come from one source.
func (c *compiler) owned(from source, members []*node) step {
	var steps []step
	var name strings.Builder
	fmt.Fprint(&name, from)
	for _, n := range members {
		if owner, ok := n.owner(); ok && owner == from {
			steps = append(steps, c.whole(n))
			for s := range n.each {
				fmt.Fprintf(&name, " %s#%d", s.path, s.id)
			}
		}
	}
	if from == fromKind {
		return render(steps)
	}
	key := name.String()
	if c.known[key] == nil {
		c.known[key] = &fragment{id: len(c.fragments), from: from, steps: steps}
		c.fragments = append(c.fragments, c.known[key])
	}
	return c.known[key]
}

// render runs steps that need no batch.
func render(steps []step) literal {
	var l literal
	for _, s := range steps {
		l = s.append(nil, l)
	}
	return l
}

// node compiles one member that has more than one source, or one that is not cached.
func (c *compiler) node(n *node) step {
	if len(n.specs) > 0 {
		return leaf(n)
	}
	if n.replaced() {
		own := n.filter(func(s spec) bool { return s.source == fromRow })
		others := n.filter(func(s spec) bool { return s.source != fromRow })
		return &either{c.object(opening(n), own.children), c.object(opening(n), others.children)}
	}
	return c.object(opening(n), n.children)
}

// whole compiles a member of one source, without looking for fragments within.
func (c *compiler) whole(n *node) step {
	if len(n.specs) > 0 {
		return leaf(n)
	}
	o := &object{open: []byte(opening(n))}
	for _, child := range n.children {
		o.steps = append(o.steps, c.whole(child))
	}
	return o
}

func opening(n *node) string { return `"` + n.name + `":{` }

func leaf(n *node) step {
	values := make([]value, 0, len(n.specs))
	for _, s := range n.specs {
		values = append(values, s.value)
	}
	key := `"` + n.name + `":`
	if n.specs[0].list {
		return &list{key: []byte(key + "["), values: values}
	}
	return &member{key: []byte(key), values: values}
}
