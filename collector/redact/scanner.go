package redact

// scanner finds by one look at each byte which rules may match: a table of Aho and Corasick over the texts that the
// rules require. Capital letters are small ones to it.
type scanner struct {
	class   [256]uint8 // of a byte: 0 is in no text
	classes int
	next    []uint32 // state + class → state: states are numbered by the place of their first class
	found   []uint64 // by the state's number without that: the rules with a text that ends there
	always  uint64   // rules that require no text
	first   uint32   // states from here on have found something
}

// foldings are the two characters beyond ASCII that expressions without regard to case take for a k and an s. They
// make every expression look.
var foldings = []string{string(foldedK), string(foldedS)}

func newScanner(rules []rule) scanner {
	var s scanner
	t := &trie{nodes: []node{{}}}
	for i, r := range rules {
		if len(r.texts) == 0 {
			s.always |= 1 << i
		}
		for _, text := range r.texts {
			t.add(text, 1<<i)
		}
		for _, text := range foldings {
			if r.expression {
				t.add(text, 1<<i)
			}
		}
	}
	s.build(t)
	return s
}

// lookFunc is told the end of a text, the rules that have it, a bit a rule, and which rules need not look any more.
// It returns the rules that found something.
type lookFunc func(end int, rules uint64, done *uint64) (hits uint64)

// scan calls look for every text that it finds, and returns the rules that found something.
func (s *scanner) scan(b []byte, look lookFunc) (hits uint64) {
	state, next := uint32(0), s.next
	var done uint64
	if s.always != 0 {
		hits = look(0, s.always, &done)
	}
	for i, c := range b {
		state = next[state+uint32(s.class[c])]
		if state >= s.first {
			hits |= look(i+1, s.found[state/uint32(s.classes)], &done)
		}
	}
	return hits
}

type trie struct{ nodes []node }

type node struct {
	children map[byte]int
	suffix   int // the longest other text's beginning that ends here
	found    uint64
}

func (t *trie) add(text string, rules uint64) {
	at := 0
	for _, c := range []byte(text) {
		child, ok := t.nodes[at].children[c]
		if !ok {
			child = len(t.nodes)
			t.nodes = append(t.nodes, node{})
			if t.nodes[at].children == nil {
				t.nodes[at].children = make(map[byte]int)
			}
			t.nodes[at].children[c] = child
		}
		at = child
	}
	t.nodes[at].found |= rules
}

// build makes the table. States are numbered so that those that found something come last.
func (s *scanner) build(t *trie) {
	letters := s.number(t)
	to := make([][]int, len(t.nodes)) // node × class → node, in order of depth
	queue := []int{0}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		to[at] = make([]int, s.classes)
		if at != 0 {
			copy(to[at], to[t.nodes[at].suffix])
		}
		for class := 1; class < s.classes; class++ {
			child, ok := t.nodes[at].children[letters[class]]
			if !ok {
				continue
			}
			t.nodes[child].suffix = to[at][class] // still the suffix's: 0 at the root
			t.nodes[child].found |= t.nodes[t.nodes[child].suffix].found
			to[at][class] = child
			queue = append(queue, child)
		}
	}
	s.pack(t, to)
}

// number gives each byte of the texts a class, and returns the classes' letters.
func (s *scanner) number(t *trie) []byte {
	letters := []byte{0}
	for _, n := range t.nodes {
		for c := range n.children {
			if s.class[c] == 0 {
				s.class[c] = uint8(len(letters))
				letters = append(letters, c)
			}
		}
	}
	for c := byte('a'); c <= 'z'; c++ {
		s.class[c-'a'+'A'] = s.class[c]
	}
	s.classes = len(letters)
	return letters
}

func (s *scanner) pack(t *trie, to [][]int) {
	number := make([]uint32, len(t.nodes))
	states := uint32(0)
	for _, last := range []bool{false, true} {
		if last {
			s.first = states * uint32(s.classes)
		}
		for i, n := range t.nodes {
			if (n.found != 0) == last {
				number[i] = states
				states++
			}
		}
	}
	s.next = make([]uint32, len(t.nodes)*s.classes)
	s.found = make([]uint64, len(t.nodes))
	for i, row := range to {
		s.found[number[i]] = t.nodes[i].found
		for class, child := range row {
			s.next[int(number[i])*s.classes+class] = number[child] * uint32(s.classes)
		}
	}
}
