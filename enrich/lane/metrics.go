package lane

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of all lanes of a process; those of events and requests are sink.Metrics.
type Metrics struct {
	batches *prometheus.CounterVec
	gone    *prometheus.CounterVec
	behind  *prometheus.GaugeVec
}

// NewMetrics registers the counters; a process does so once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_lane_batches_total",
			Help: "Batches that a lane has read, by result: delivered, duplicate, unreadable.",
		}, []string{"lane", "result"}),
		gone: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_lane_lost_records_total",
			Help: "Records of weir.enriched that were deleted by retention, or damaged, before a lane had delivered them.",
		}, []string{"lane"}),
		behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weir_lane_behind_records",
			Help: "Records of weir.enriched that a lane has not delivered yet.",
		}, []string{"lane", "partition"}),
	}
	reg.MustRegister(m.batches, m.gone, m.behind)
	return m
}

func (m *Metrics) batch(lane, result string) { m.batches.WithLabelValues(lane, result).Inc() }

func (m *Metrics) lost(lane string, records int64) {
	m.gone.WithLabelValues(lane).Add(float64(records))
}

func (m *Metrics) lag(lane string, partition int, records int64) {
	m.behind.WithLabelValues(lane, strconv.Itoa(partition)).Set(float64(records))
}

func (m *Metrics) forget(lane string, partition int) {
	m.behind.DeleteLabelValues(lane, strconv.Itoa(partition))
}
