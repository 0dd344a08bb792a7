package enrich

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/enrich/books"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// metrics are the counters of the enricher itself.
type metrics struct {
	batches  *prometheus.CounterVec
	events   *prometheus.CounterVec
	findings *prometheus.CounterVec
	lost     *prometheus.CounterVec
	joined   *prometheus.CounterVec
	hosts    *prometheus.GaugeVec
	behind   *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"partition"})
	}
	m := &metrics{
		batches:  counter("weir_enrich_batches_total", "Records of weir.batches, by result: fresh, duplicate, refused, unreadable.", "result"),
		events:   counter("weir_enrich_events_total", "Events in fresh batches.", "kind"),
		findings: counter("weir_enrich_findings_total", "What the books object to.", "finding"),
		lost:     counter("weir_enrich_lost_events_total", "Events that are told as lost; losses of an unknown number count as 0.", "place"),
		joined:   counter("weir_enrich_joined_batches_total", "Fresh batches, by how the join with the inventory went.", "joined"),
		hosts:    gauge("weir_enrich_hosts", "Hosts that the partition's books hold."),
		behind:   gauge("weir_enrich_behind_records", "Records of weir.batches that are not enriched yet."),
	}
	reg.MustRegister(m.batches, m.events, m.findings, m.lost, m.joined, m.hosts, m.behind)
	return m
}

func (m *metrics) entered(e books.Entry, groups []*weirv1.Group) {
	m.batches.WithLabelValues(e.Verdict.String()).Inc()
	if e.Verdict == books.Fresh {
		for _, g := range groups {
			m.events.WithLabelValues(schema.KindLabel(g.GetKind())).Add(float64(g.GetRows()))
		}
	}
}

func (m *metrics) found(findings []books.Finding, losses []books.Loss) {
	for _, f := range findings {
		m.findings.WithLabelValues(word(f.Kind.String(), "FINDING_")).Inc()
	}
	for _, l := range losses {
		m.lost.WithLabelValues(string(l.Place)).Add(float64(l.Events))
	}
}

func (m *metrics) join(j weirv1.Joined) {
	m.joined.WithLabelValues(word(j.String(), "JOINED_")).Inc()
}

// progress tells how far a partition is.
func (m *metrics) progress(partition, hosts int, behind int64) {
	label := strconv.Itoa(partition)
	m.hosts.WithLabelValues(label).Set(float64(hosts))
	m.behind.WithLabelValues(label).Set(float64(behind))
}

func (m *metrics) forget(partition int) {
	label := strconv.Itoa(partition)
	m.hosts.DeleteLabelValues(label)
	m.behind.DeleteLabelValues(label)
}

// word makes a label of an enum's name.
func word(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }
