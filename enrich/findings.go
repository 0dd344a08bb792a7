package enrich

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/enrich/inventory"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// report is what the books say at one record, or at one moment: it becomes a batch of the enricher's own.
// The same report, made again after a restart, has the same run, number and rows, so that its events have
// the same ids.
type report struct {
	run      schema.RunID
	number   uint64
	at       time.Time
	evidence string // topic/partition/offset
	about    inventory.Host
	findings []books.Finding
	losses   []books.Loss
}

// detail names the host by the name that people know: a row has only its id.
func (r report) detail(text string) string {
	if r.about.Hostname == "" {
		return text
	}
	return r.about.Hostname + ": " + text
}

func (r report) isEmpty() bool { return len(r.findings)+len(r.losses) == 0 }

// reportRun returns the run that reports about a partition are numbered in: the first 16 bytes of SHA-256
// of its words, each ended by a NUL byte.
func reportRun(words ...string) schema.RunID {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00") + "\x00"))
	return schema.RunID(sum[:16])
}

// reporter seals reports by the enricher's key. It is not safe for concurrent use.
type reporter struct {
	key   ed25519.PrivateKey
	draft *batch.Draft
}

// newReporter makes batches with this header, but of no boot: their times are the broker's.
func newReporter(key ed25519.PrivateKey, header *weirv1.Header) *reporter {
	h := proto.CloneOf(header)
	h.Origin = weirv1.Origin_ORIGIN_ENRICHER
	return &reporter{key: key, draft: batch.NewDraft(h, batch.DefaultLimits())}
}

func (p *reporter) seal(r report) (batch.Sealed, error) {
	for _, f := range r.findings {
		p.gap(r, f)
	}
	for _, l := range r.losses {
		p.loss(r, l)
	}
	sealed, err := p.draft.Seal(batch.NewChainAt(p.key, r.run, r.number), batch.Times{Boot: time.UnixMicro(0), Sealed: r.at})
	if err != nil {
		return sealed, fmt.Errorf("report %d: %w", r.number, err)
	}
	return sealed, nil
}

// event is a row's common part. With a boot time of 0, µs since 1970 are µs since boot.
func (p *reporter) event(kind *schema.Kind, at time.Time) {
	p.draft.Append(batch.Event{Kind: kind, Time: schema.BootTime(at.UnixMicro())})
}

func (p *reporter) gap(r report, f books.Finding) {
	p.event(schema.WeirGap, r.at)
	g, text := p.draft.Columns().WeirGap, p.draft.Text
	g.Host = append(g.Host, text(f.Host[:]))
	g.Run = append(g.Run, text(f.Run[:]))
	g.Finding = append(g.Finding, f.Kind)
	g.First = append(g.First, f.Numbers.First)
	g.Last = append(g.Last, f.Numbers.Last)
	g.Detail = append(g.Detail, text([]byte(r.detail(f.Detail))))
	g.Evidence = append(g.Evidence, text([]byte(r.evidence)))
	g.BeginUs = append(g.BeginUs, unixMicro(f.Begin))
	g.EndUs = append(g.EndUs, unixMicro(f.End))
}

// unixMicro is 0 where there is no time.
func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (p *reporter) loss(r report, l books.Loss) {
	p.event(schema.WeirLoss, r.at)
	g, text := p.draft.Columns().WeirLoss, p.draft.Text
	host := uint32(0) // none: the one that tells, since the partition's hosts are not known
	if l.Host != (schema.HostID{}) {
		host = text(l.Host[:])
	}
	number := uint32(0)
	if kind, ok := schema.KindByName(l.Kind); ok {
		number = kind.Number
	}
	g.Host = append(g.Host, host)
	g.Kind = append(g.Kind, number)
	g.Events = append(g.Events, l.Events)
	g.Place = append(g.Place, text([]byte(l.Place)))
	g.Detail = append(g.Detail, text([]byte(r.detail(l.Detail))))
}
