package sink

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/schema"
)

// Metrics are the counters of all lanes of a process.
type Metrics struct {
	events   *prometheus.CounterVec
	retries  *prometheus.CounterVec
	requests *prometheus.HistogramVec
	down     *prometheus.GaugeVec
}

// NewMetrics registers the counters; a process does so once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_sink_events_total",
			Help: "Events whose delivery has ended, by how: delivered, duplicate, dead_lettered, filtered.",
		}, []string{"lane", "kind", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_sink_retried_events_total",
			Help: "Events that were not taken and are offered again; one may count several times.",
		}, []string{"lane"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "weir_sink_request_seconds",
			Help:    "Time of one delivery to the destination, by result: answered, error.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9), // 1 ms to 65 s
		}, []string{"lane", "result"}),
		down: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weir_sink_down",
			Help: "1 while the destination does not take what it is offered.",
		}, []string{"lane"}),
	}
	reg.MustRegister(m.events, m.retries, m.requests, m.down)
	return m
}

func (m *Metrics) attempted(lane, result string, took time.Duration) {
	m.requests.WithLabelValues(lane, result).Observe(took.Seconds())
}

func (m *Metrics) retried(lane string, rows int) {
	m.retries.WithLabelValues(lane).Add(float64(rows))
}

func (m *Metrics) counted(lane string, t Tally) {
	for outcome, counts := range map[string]Counts{
		"delivered": t.Delivered, "duplicate": t.Duplicate, "dead_lettered": t.DeadLettered, "filtered": t.Filtered,
	} {
		for kind, n := range counts {
			m.events.WithLabelValues(lane, schema.KindLabel(kind), outcome).Add(float64(n))
		}
	}
}
