package collector

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/spool"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// metrics are what the loop counts itself. What the kernel counts is read when it is asked for: counters.
type metrics struct {
	batches prometheus.Counter
	rows    prometheus.Counter
	bytes   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	return &metrics{
		batches: counter("weir_batches_sealed_total", "Batches that were sealed and put into the spool."),
		rows:    counter("weir_rows_sealed_total", "Events in these batches."),
		bytes:   counter("weir_batch_bytes_total", "Bytes of these batches, sealed."),
	}
}

func (m *metrics) sealed(rows, bytes int) {
	m.batches.Inc()
	m.rows.Add(float64(rows))
	m.bytes.Add(float64(bytes))
}

// observeFiles counts executables by what became of their hash.
func observeFiles(r prometheus.Registerer) func(weirv1.HashState) {
	files := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "weir_executables_total", Help: "Executables that were to be read, by what became of it.",
	}, []string{"state"})
	r.MustRegister(files)
	return func(s weirv1.HashState) {
		state := "hashed"
		if s != weirv1.HashState_HASH_STATE_UNSPECIFIED {
			state = strings.ToLower(strings.TrimPrefix(s.String(), "HASH_STATE_"))
		}
		files.WithLabelValues(state).Inc()
	}
}

// counters tells the kernel's counters and the spool's state at each scrape.
type counters struct {
	hooks  *attach.Attachment
	spool  *spool.Spool
	events *prometheus.Desc
	runs   *prometheus.Desc
	missed *prometheus.Desc
	queued *prometheus.Desc
	stored *prometheus.Desc
}

func newCounters(hooks *attach.Attachment, s *spool.Spool) *counters {
	return &counters{
		hooks:  hooks,
		spool:  s,
		events: prometheus.NewDesc("weir_events_total", "Events by what became of them in the kernel.", []string{"kind", "outcome"}, nil),
		runs:   prometheus.NewDesc("weir_program_runs_total", "Runs of a program.", []string{"program"}, nil),
		missed: prometheus.NewDesc("weir_program_missed_total", "Runs of a program that the kernel skipped.", []string{"program"}, nil),
		queued: prometheus.NewDesc("weir_spool_batches", "Batches in the spool that Kafka does not have.", nil, nil),
		stored: prometheus.NewDesc("weir_spool_bytes", "Bytes of these batches.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *counters) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c *counters) Collect(ch chan<- prometheus.Metric) {
	stats := c.spool.Stats()
	ch <- prometheus.MustNewConstMetric(c.queued, prometheus.GaugeValue, float64(stats.Batches))
	ch <- prometheus.MustNewConstMetric(c.stored, prometheus.GaugeValue, float64(stats.Bytes))
	kernel, err := c.hooks.Counters()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.events, err)
		return
	}
	for _, k := range kernel.Kinds {
		for outcome, n := range k.Outcomes {
			ch <- prometheus.MustNewConstMetric(c.events, prometheus.CounterValue, float64(n), k.Kind.String(), bpf.Outcome(outcome).String())
		}
	}
	for _, p := range kernel.Programs {
		ch <- prometheus.MustNewConstMetric(c.runs, prometheus.CounterValue, float64(p.Runs), p.Program.Name)
		ch <- prometheus.MustNewConstMetric(c.missed, prometheus.CounterValue, float64(p.Missed), p.Program.Name)
	}
}
