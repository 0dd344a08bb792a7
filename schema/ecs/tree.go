package ecs

import (
	"fmt"
	"slices"
	"strings"
)

// node is one member of a kind's documents: an object, or a leaf with the specs that may give it, the one
// that wins first.
type node struct {
	name     string
	children []*node
	specs    []spec
}

// grow makes a tree of paths. Members stand in the order in which they first come.
func grow(specs []spec) (*node, error) {
	root := &node{}
	for _, s := range specs {
		n := root
		for name := range strings.SplitSeq(s.path, ".") {
			n = n.child(name)
		}
		n.specs = append(n.specs, s)
	}
	return root, root.check("")
}

func (n *node) child(name string) *node {
	if i := slices.IndexFunc(n.children, func(c *node) bool { return c.name == name }); i >= 0 {
		return n.children[i]
	}
	c := &node{name: name}
	n.children = append(n.children, c)
	return c
}

// check finds members that would be an object and something else at once, and puts specs in the order in
// which they win.
func (n *node) check(path string) error {
	if len(n.specs) > 0 && len(n.children) > 0 {
		return fmt.Errorf("%s is an object and %s of column %s", path, n.specs[0].mapping, n.specs[0].column)
	}
	slices.SortStableFunc(n.specs, func(a, b spec) int { return int(a.source) - int(b.source) })
	for _, c := range n.children {
		if err := c.check(strings.TrimPrefix(path+"."+c.name, ".")); err != nil {
			return err
		}
	}
	return nil
}

// owner returns the one source that everything below the node comes from.
func (n *node) owner() (source, bool) {
	owner := sources
	for s := range n.each {
		if owner != sources && owner != s.source {
			return 0, false
		}
		owner = s.source
	}
	return owner, true
}

// each yields every spec below the node.
func (n *node) each(yield func(spec) bool) { n.walk(yield) }

func (n *node) walk(yield func(spec) bool) bool {
	for _, s := range n.specs {
		if !yield(s) {
			return false
		}
	}
	for _, c := range n.children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

// filter returns the tree without the specs that keep refuses.
func (n *node) filter(keep func(spec) bool) *node {
	kept := &node{name: n.name}
	for _, s := range n.specs {
		if keep(s) {
			kept.specs = append(kept.specs, s)
		}
	}
	for _, c := range n.children {
		if f := c.filter(keep); len(f.specs)+len(f.children) > 0 {
			kept.children = append(kept.children, f)
		}
	}
	return kept
}

// replaced reports whether a row may name the id of an object that the header describes. The row's object
// then stands alone.
func (n *node) replaced() bool {
	i := slices.IndexFunc(n.children, func(c *node) bool { return c.name == "id" })
	return i >= 0 && n.children[i].has(fromRow) && n.children[i].has(fromHeader)
}

func (n *node) has(from source) bool {
	for s := range n.each {
		if s.source == from {
			return true
		}
	}
	return false
}
