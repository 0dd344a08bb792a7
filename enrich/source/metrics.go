package source

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of all sources of a process.
type Metrics struct {
	reads   *prometheus.CounterVec
	entries *prometheus.GaugeVec
}

// NewMetrics registers the counters; a process does so once.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "weir_inventory_reads_total",
			Help: "Times that a source of metadata was read anew, by result: taken, refused.",
		}, []string{"source", "result"}),
		entries: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "weir_inventory_entries",
			Help: "Versions of instances and deploys that a source of metadata holds.",
		}, []string{"source", "entry"}),
	}
	reg.MustRegister(m.reads, m.entries)
	return m
}

func (m *Metrics) updated(source string, set Set) {
	m.reads.WithLabelValues(source, "taken").Inc()
	m.entries.WithLabelValues(source, "instance").Set(float64(len(set.Instances)))
	m.entries.WithLabelValues(source, "deploy").Set(float64(len(set.Deploys)))
}

func (m *Metrics) failed(source string) { m.reads.WithLabelValues(source, "refused").Inc() }
