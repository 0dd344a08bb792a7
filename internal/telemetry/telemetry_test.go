package telemetry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirproject/weir/internal/config"
)

func get(t *testing.T, h http.Handler, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestHealthNamesEachCheckSinceWhenAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock starts at 2000-01-01T00:00:00Z
		h := NewHealth()
		spool, broker := h.Check("spool"), h.Check("broker")
		expect := func(wantStatus int, wantBody string) {
			t.Helper()
			if status, body := get(t, h, "/healthz"); status != wantStatus || body != wantBody {
				t.Errorf("%d\n%s", status, body)
			}
		}
		expect(503, "bad spool since 2000-01-01T00:00:00Z: starting\nbad broker since 2000-01-01T00:00:00Z: starting\n")
		time.Sleep(time.Minute)
		spool.Good()
		broker.Good()
		time.Sleep(time.Minute)
		spool.Good()
		expect(200, "ok spool since 2000-01-01T00:01:00Z\nok broker since 2000-01-01T00:01:00Z\n")
		broker.Bad("dial 10.0.0.1:9092: connection refused\ndial 10.0.0.2:9092: connection refused")
		expect(503, "ok spool since 2000-01-01T00:01:00Z\nbad broker since 2000-01-01T00:02:00Z: dial 10.0.0.1:9092: connection refused; dial 10.0.0.2:9092: connection refused\n")
	})
}

func TestMetricsTellVersionAndHealth(t *testing.T) {
	health := NewHealth()
	health.Check("spool").Good()
	health.Check("broker")
	_, body := get(t, Handler(NewRegistry("v1.2.3"), health), "/metrics")
	for _, want := range []string{`weir_build_info{version="v1.2.3"} 1`, `weir_health{check="spool"} 1`, `weir_health{check="broker"} 0`, "process_resident_memory_bytes", "go_goroutines"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestListeningBeyondThisMachineHasToBeAllowed(t *testing.T) {
	refused := []string{"0.0.0.0:9273", "[::]:9273", "192.0.2.1:9273"}
	taken := []string{"127.0.0.1:9273", "127.8.8.8:1", "[::1]:9273"}
	for _, listen := range refused {
		cfg := Config{Listen: netip.MustParseAddrPort(listen)}
		if _, ok := errors.AsType[*config.Fault](cfg.Validate()); !ok {
			t.Errorf("%s is taken", listen)
		}
		cfg.AllowRemote = true
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, listen := range taken {
		cfg := Config{Listen: netip.MustParseAddrPort(listen)}
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestItServesUntilTheContextEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- serve(ctx, l, NewHealth()) }()
	response, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	response.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Run(t.Context(), Config{Listen: netip.MustParseAddrPort(l.Addr().String())}, NewHealth())
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Error(err)
	}
	if err := Run(t.Context(), Config{}, NewHealth()); err != nil {
		t.Errorf("nothing is configured, and it says %v", err)
	}
}
