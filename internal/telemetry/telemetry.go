// Package telemetry shows how a program of weir does: metrics for Prometheus at /metrics, and a list of
// named checks at /healthz. Both are served where the configuration says so, on a loopback address unless
// it says more.
//
//	registry, health := telemetry.NewRegistry(cli.Version()), telemetry.NewHealth()
//	broker := health.Check("broker")
//	g.Go(func() error { return telemetry.Run(ctx, cfg.Telemetry, telemetry.Handler(registry, health)) })
//
// Names of metrics are weir_<what>_<unit>, counters end in _total, and labels are the words of weir's other
// names: kind, outcome, program, sink. It knows nothing of what is measured.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/weirproject/weir/internal/config"
)

// Config says where metrics and health are served. Its zero value is the default: a port is opened where
// someone wants it.
type Config struct {
	// Address and port, such as 127.0.0.1:9273, at which /metrics and /healthz are served. Without it they
	// are not.
	Listen netip.AddrPort `yaml:"listen"`
	// Take an address that other machines can reach. Nothing that is served is a secret, and nobody is asked
	// who they are.
	AllowRemote bool `yaml:"allow_remote"`
}

// Validate refuses to serve beyond this machine by accident.
func (c *Config) Validate() error {
	switch address := c.Listen.Addr(); {
	case !c.Listen.IsValid() || address.IsLoopback() || c.AllowRemote:
		return nil
	default:
		return config.Invalid("listen", "%s can be reached from other machines; listen on 127.0.0.1 or [::1], or set allow_remote", c.Listen)
	}
}

// NewRegistry returns a registry that has what every program tells: its version, its process (CPU time,
// memory, open files), Go's runtime.
func NewRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "weir_build_info",
		Help:        "1, labelled with the version.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves the metrics in r and the checks in h, which become the metric weir_health as well.
func Handler(r *prometheus.Registry, h *Health) http.Handler {
	r.MustRegister(h)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	mux.Handle("GET /healthz", h)
	return mux
}

// Run serves h until ctx ends. Where nothing is configured it returns at once.
func Run(ctx context.Context, cfg Config, h http.Handler) error {
	if !cfg.Listen.IsValid() {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen.String())
	if err != nil {
		return fmt.Errorf("serve telemetry: %w", err)
	}
	return serve(ctx, l, h)
}

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() }) // scrapes are not worth waiting for
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve telemetry at %s: %w", l.Addr(), err)
	}
	return nil
}
