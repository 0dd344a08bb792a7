package telemetry

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Health is a program's list of checks, in the order in which they were added. It is safe for concurrent
// use.
type Health struct {
	desc *prometheus.Desc

	mu     sync.Mutex
	checks []*Check
}

// Check is one thing that a program needs to do its work, such as "broker" or "spool". It is bad until it
// is first said to be good. It is safe for concurrent use.
type Check struct {
	name string

	mu    sync.Mutex
	good  bool
	why   string // of a bad one
	since time.Time
}

// NewHealth returns a list without checks.
func NewHealth() *Health {
	return &Health{desc: prometheus.NewDesc("weir_health", "1 where the check is good, 0 where it is bad.", []string{"check"}, nil)}
}

// Check adds a check. Its name is one word, and no other check's.
func (h *Health) Check(name string) *Check {
	c := &Check{name: name, why: "starting", since: time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, c)
	return c
}

// Good says that all is well again, or still.
func (c *Check) Good() { c.set(true, "") }

// Bad says that it is not, and why.
func (c *Check) Bad(why string) { c.set(false, why) }

// set keeps since where the state stays as it was, whatever the new reason.
func (c *Check) set(good bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good != good {
		c.since = time.Now()
	}
	c.good, c.why = good, why
}

func (c *Check) line() (good bool, line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.since.UTC().Format(time.RFC3339)
	if c.good {
		return true, fmt.Sprintf("ok %s since %s\n", c.name, since)
	}
	return false, fmt.Sprintf("bad %s since %s: %s\n", c.name, since, strings.ReplaceAll(c.why, "\n", "; "))
}

// ServeHTTP writes a line a check. The status is 503 where one is bad, else 200.
func (h *Health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	status := http.StatusOK
	var body strings.Builder
	for _, c := range h.list() {
		good, line := c.line()
		if !good {
			status = http.StatusServiceUnavailable
		}
		body.WriteString(line)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body.String())) // the client left; nobody is there to be told
}

// Describe implements [prometheus.Collector].
func (h *Health) Describe(ch chan<- *prometheus.Desc) { ch <- h.desc }

// Collect implements [prometheus.Collector].
func (h *Health) Collect(ch chan<- prometheus.Metric) {
	for _, c := range h.list() {
		value := 0.0
		if good, _ := c.line(); good {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(h.desc, prometheus.GaugeValue, value, c.name)
	}
}

func (h *Health) list() []*Check {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.checks[:len(h.checks):len(h.checks)] // only grows, and entries stay: the prefix may be read without the lock
}
