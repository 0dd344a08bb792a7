package inventory

import (
	"iter"
	"slices"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Join says what each row of a batch is joined with: the fields of the same names in weirv1.Enrichment.
type Join struct {
	Instances []*weirv1.Instance
	Deploys   []*weirv1.Deploy
	Spans     []*weirv1.Span
	// Joined is TIE where any row met one, NONE where no row has an instance, and unspecified without rows.
	Joined weirv1.Joined
}

// Join joins the rows of one host's batch, given the times of its rows in ring order.
func (inv *Inventory) Join(host Host, times iter.Seq[time.Time]) Join {
	var j Join
	var m Match // holds at no time
	span := &weirv1.Span{}
	for at := range times {
		if !m.holds(at.UnixMicro()) {
			m = inv.Lookup(host, at)
			j.note(m)
			next := &weirv1.Span{Instance: number(&j.Instances, m.Instance), Deploy: number(&j.Deploys, m.Deploy)}
			span = j.extend(span, next)
		}
		span.Rows++
	}
	j.extend(span, &weirv1.Span{})
	return j
}

// note enters how a look-up went: the worst that some row met stays.
func (j *Join) note(m Match) {
	switch {
	case m.Tie:
		j.Joined = weirv1.Joined_JOINED_TIE
	case j.Joined == weirv1.Joined_JOINED_TIE:
	case m.Instance != nil:
		j.Joined = weirv1.Joined_JOINED_COMPLETE
	case j.Joined == weirv1.Joined_JOINED_UNSPECIFIED:
		j.Joined = weirv1.Joined_JOINED_NONE
	}
}

// extend returns the span that the next rows belong to: the one before where they are joined alike.
func (j *Join) extend(before, next *weirv1.Span) *weirv1.Span {
	if before.Rows > 0 && before.Instance == next.Instance && before.Deploy == next.Deploy {
		return before
	}
	if before.Rows > 0 {
		j.Spans = append(j.Spans, before)
	}
	return next
}

// number returns v's place in list, from 1, and appends it where it is new; nil has number 0.
func number[V interface {
	comparable
	*weirv1.Instance | *weirv1.Deploy
}](list *[]V, v V) uint32 {
	if v == nil {
		return 0
	}
	i := slices.Index(*list, v)
	if i < 0 {
		i = len(*list)
		*list = append(*list, v)
	}
	return uint32(i + 1)
}
