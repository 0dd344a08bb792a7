package books

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// TestBooksAreTheTwins plays random orders of batches of a few runs to the books, with restarts between
// them, and to a twin that forgets nothing and compares everything.
func TestBooksAreTheTwins(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := &scene{t: t, books: New()}
		twin := twin{content: map[key]string{}, last: map[string]uint64{}, received: Counts{}}
		for range 60 {
			b := twin.random(r)
			s.offset++
			got := s.books.Add(b.facts(), s.offset)
			if diff := cmp.Diff(twin.add(b), verdictOf(got)); diff != "" {
				t.Fatalf("seed %d, %+v (-twin +books):\n%s", seed, b, diff)
			}
			if r.IntN(10) == 0 {
				s.restart()
			}
		}
		if diff := cmp.Diff(twin.received, Counts(s.books.Balance(hostID("h")).Received)); diff != "" {
			t.Fatalf("seed %d: received (-twin +books):\n%s", seed, diff)
		}
	}
}

type key struct {
	run    string
	number uint64
}

// made is one random batch.
type made struct {
	key
	content, previous string // of this batch, and of the one that it follows
	rows              uint32
}

func (m made) facts() Batch {
	b := Batch{
		Host: hostID("h"), PublicKey: keyOf("h"), Run: runID(m.run), Number: m.number, Hash: hashOf(m.run, m.number, m.content),
		Groups: []*weirv1.Group{{Kind: "process.exec", Rows: m.rows}}, Stopped: true,
	}
	if m.number > 1 {
		b.Previous = hashOf(m.run, m.number-1, m.previous)
	}
	return b
}

// judged is what both are asked for.
type judged struct {
	Verdict Verdict
	Gap     Range
	Broken  bool
}

func verdictOf(e Entry) judged {
	j := judged{Verdict: e.Verdict}
	for _, f := range e.Findings {
		switch f.Kind {
		case weirv1.Finding_FINDING_GAP:
			j.Gap = f.Numbers
		case weirv1.Finding_FINDING_BROKEN_CHAIN:
			j.Broken = true
		}
	}
	return j
}

// twin remembers the content of every batch.
type twin struct {
	content  map[key]string
	last     map[string]uint64
	received Counts
}

// random mostly makes the next batch of a run, or one of the last twenty anew.
func (t *twin) random(r *rand.Rand) made {
	m := made{key: key{run: string(rune('a' + r.IntN(3)))}, rows: r.Uint32N(5)}
	next := t.last[m.run] + 1
	switch r.IntN(4) {
	case 0:
		m.number = next + r.Uint64N(3)
	case 1:
		m.number = max(1, next-min(next, r.Uint64N(20)))
	default:
		m.number = next
	}
	if r.IntN(8) == 0 {
		m.content = "other"
	}
	if r.IntN(8) > 0 {
		m.previous = t.content[key{m.run, m.number - 1}]
	}
	return m
}

func (t *twin) add(m made) judged {
	if content, ok := t.content[m.key]; ok {
		if content == m.content {
			return judged{Verdict: Duplicate}
		}
		return judged{Verdict: Refused}
	}
	j := judged{Verdict: Fresh}
	if last := t.last[m.run]; m.number > last+1 {
		j.Gap = Range{last + 1, m.number - 1}
	}
	if before, ok := t.content[key{m.run, m.number - 1}]; ok {
		j.Broken = before != m.previous
	}
	t.content[m.key] = m.content
	t.last[m.run] = max(t.last[m.run], m.number)
	t.received["process.exec"] += uint64(m.rows)
	return j
}

// TestNumbersForgetTheOldestHoles shows what bounded memory costs: a batch of a hole that was forgotten
// is a duplicate.
func TestNumbersForgetTheOldestHoles(t *testing.T) {
	var n Numbers
	for i := range uint64(maxMissing + 1) {
		n.Add(Range{2*i + 2, 2*i + 2})
	}
	if len(n.Missing) != maxMissing || !n.Has(1) || n.Has(3) {
		t.Errorf("%d holes, 1 has come: %v, 3 has come: %v", len(n.Missing), n.Has(1), n.Has(3))
	}
}

func TestLoadRefusesWhatNoBooksWrote(t *testing.T) {
	id := make([]byte, 16)
	for name, p := range map[string]*weirv1.HostBalance{
		"no host":       {},
		"short run id":  {HostId: id, Runs: []*weirv1.RunBalance{{RunId: id[:3]}}},
		"half a hash":   {HostId: id, Runs: []*weirv1.RunBalance{{RunId: id, RecentHashes: id[:12]}}},
		"absent run id": {HostId: id, Runs: []*weirv1.RunBalance{{}}},
	} {
		b := New()
		if err := b.Load(p); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v, %d hosts", name, err, b.Len())
		} else {
			t.Log(err)
		}
	}
}
