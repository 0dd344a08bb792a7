package ecs

import "bytes"

// step appends members of the object that is open, each with a comma behind it.
type step interface {
	append(d *Documents, dst []byte) []byte
}

// literal is members that are the same in every document of the kind.
type literal []byte

func (l literal) append(_ *Documents, dst []byte) []byte { return append(dst, l...) }

// member is one value: the first of its sources that has one.
type member struct {
	key    []byte // `"pid":`
	values []value
}

func (m *member) append(d *Documents, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, m.key...)
	empty := len(dst)
	for _, v := range m.values {
		if dst = v(d, dst); len(dst) > empty {
			return append(dst, ',')
		}
	}
	return dst[:start]
}

// list is an array of what all of its sources have, each value once.
type list struct {
	key    []byte // `"ip":[`
	values []value
}

func (l *list) append(d *Documents, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, l.key...)
	first := len(dst)
	for _, v := range l.values {
		before := len(dst)
		if dst = v(d, dst); len(dst) == before {
			continue
		}
		dst = append(dst, ',')
		if bytes.Contains(dst[first:before], dst[before:]) {
			dst = dst[:before]
		}
	}
	if len(dst) == first {
		return dst[:start]
	}
	dst[len(dst)-1] = ']'
	return append(dst, ',')
}

// object is an object of several sources. Without members it is left out.
type object struct {
	open  []byte // `"process":{`
	steps []step
}

func (o *object) append(d *Documents, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, o.open...)
	empty := len(dst)
	for _, s := range o.steps {
		dst = s.append(d, dst)
	}
	if len(dst) == empty {
		return dst[:start]
	}
	dst[len(dst)-1] = '}'
	return append(dst, ',')
}

// either is the first of two steps, or the second where the first has nothing.
type either struct{ first, second step }

func (e *either) append(d *Documents, dst []byte) []byte {
	start := len(dst)
	if dst = e.first.append(d, dst); len(dst) > start {
		return dst
	}
	return e.second.append(d, dst)
}

// fragment is members that one entry of one source gives: rendered when a row first needs the entry, and
// copied from then on.
type fragment struct {
	id    int
	from  source
	steps []step
}

func (f *fragment) append(d *Documents, dst []byte) []byte {
	entry := d.entry[f.from]
	if entry == 0 {
		return dst
	}
	rendered := &d.rendered[f.id][entry-1]
	if rendered.end > 0 {
		return append(dst, d.arena[rendered.start:rendered.end]...)
	}
	start := len(dst)
	for _, s := range f.steps {
		dst = s.append(d, dst)
	}
	*rendered = d.keep(dst[start:])
	return dst
}
