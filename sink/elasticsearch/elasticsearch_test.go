package elasticsearch

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		s := newServer(t)
		return sinktest.Harness{
			Open:      func(t *testing.T) sink.Sink { return openSink(t, configOf(s)) },
			Documents: func(*testing.T) [][]byte { return s.list() },
			Once:      true,
			Break: func(*testing.T) func() {
				s.set(func(s *server) { s.before = answer(http.StatusServiceUnavailable, nil) })
				return func() { s.set(func(s *server) { s.before = nil }) }
			},
			Poison: func(document []byte) []byte { return append(document[:len(document)-1], `,}`...) },
		}
	})
}

func configOf(servers ...*server) *Config {
	cfg := Default()
	for _, s := range servers {
		cfg.URLs = append(cfg.URLs, s.URL)
	}
	return cfg
}

func openSink(t *testing.T, cfg *Config) sink.Sink {
	t.Helper()
	return openLogged(t, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func openLogged(t *testing.T, cfg *Config, log *slog.Logger) sink.Sink {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := cfg.Open(t.Context(), sink.Env{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func rowsOf(b *sink.Batch) []sink.Row {
	var rows []sink.Row
	for row := range b.Rows() {
		rows = append(rows, row)
	}
	return rows
}

func statesOf(verdicts []sink.Verdict) map[sink.State]int {
	states := map[sink.State]int{}
	for _, v := range verdicts {
		states[v.State]++
	}
	return states
}

// answer gives every request the same status.
func answer(status int, header http.Header) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		maps.Copy(w.Header(), header)
		fail(w, status, "some_exception", "the server's words")
		return true
	}
}

func TestAStatusOfTheWholeRequestSaysWhatToDo(t *testing.T) {
	tests := map[string]struct {
		status int
		want   string
	}{
		"not logged in":         {http.StatusUnauthorized, "check username and password"},
		"no rights":             {http.StatusForbidden, "needs the right to create documents"},
		"another server":        {http.StatusNotFound, "check that urls name Elasticsearch"},
		"redirect":              {http.StatusFound, "status 302"},
		"bad request":           {http.StatusBadRequest, "some_exception: the server's words"},
		"server's own fault":    {http.StatusInternalServerError, "the server's words"},
		"proxy without servers": {http.StatusBadGateway, "status 502"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t)
			s := openSink(t, configOf(srv))
			rows := rowsOf(sinktest.Batch(t, 3))
			if _, err := s.Deliver(t.Context(), rows[:1]); err != nil {
				t.Fatal(err)
			}
			srv.set(func(s *server) { s.before = answer(test.status, http.Header{"Location": {"http://127.0.0.1:1/"}}) })
			verdicts, err := s.Deliver(t.Context(), rows)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("verdicts %v, error %v, want one with %q", verdicts, err, test.want)
			}
		})
	}
}

func TestAWaitThatTheServerAsksForIsHonoured(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		srv := newServer(t)
		s := openSink(t, configOf(srv))
		rows := rowsOf(sinktest.Batch(t, 2))
		if _, err := s.Deliver(t.Context(), rows[:1]); err != nil {
			t.Fatal(err)
		}
		srv.set(func(s *server) { s.before = answer(status, http.Header{"Retry-After": {"17"}}) })
		verdicts, err := s.Deliver(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verdicts {
			if v.State != sink.Retry || v.After != 17*time.Second || !strings.Contains(v.Reason, "the server's words") {
				t.Errorf("status %d: verdict %+v", status, v)
			}
		}
	}
}

func TestSingleItemsAreRetriedOrRefused(t *testing.T) {
	srv := newServer(t)
	n := 0
	srv.item = func([]byte) (int, string) {
		n++
		switch n {
		case 2:
			return 429, `,"error":{"type":"es_rejected_execution_exception","reason":"queue"}`
		case 3:
			return 400, `,"error":{"type":"document_parsing_exception","reason":"mapping"}`
		case 4:
			return 201, `,"failure_store":"used"`
		}
		return 0, ""
	}
	verdicts, err := openSink(t, configOf(srv)).Deliver(t.Context(), rowsOf(sinktest.Batch(t, 5)))
	if err != nil {
		t.Fatal(err)
	}
	var states []sink.State
	for _, v := range verdicts {
		states = append(states, v.State)
	}
	if diff := cmp.Diff([]sink.State{sink.Accepted, sink.Retry, sink.Refused, sink.Refused, sink.Accepted}, states); diff != "" {
		t.Error(diff)
	}
}

func TestARequestThatIsTooLargeIsCutUntilItFits(t *testing.T) {
	srv := newServer(t)
	srv.most = 48 << 10 // the index template has 33 KB, one document of eight 25 KB
	cfg := configOf(srv)
	cfg.Compress = false
	s := openSink(t, cfg)
	b := sinktest.Batch(t, 64)
	verdicts, err := s.Deliver(t.Context(), rowsOf(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[sink.State]int{sink.Accepted: 64}, statesOf(verdicts)); diff != "" {
		t.Error(diff)
	}
	srv.set(func(s *server) { s.most = 1000 })
	verdicts, err = s.Deliver(t.Context(), rowsOf(sinktest.Batch(t, 8)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[sink.State]int{sink.Accepted: 7, sink.Refused: 1}, statesOf(verdicts)); diff != "" {
		t.Errorf("%s%+v", diff, verdicts)
	}
}

func TestRequestsAreBoundedInBytes(t *testing.T) {
	srv := newServer(t)
	cfg := configOf(srv)
	cfg.RequestBytes = 64 * config.KiB
	if _, err := openSink(t, cfg).Deliver(t.Context(), rowsOf(sinktest.Batch(t, 64))); err != nil { // 200 KB
		t.Fatal(err)
	}
	if got := len(srv.requests); got < 5 || got > 9 {
		t.Errorf("%d requests: %v", got, srv.requests)
	}
}

func TestWhatAnEarlierRequestSettledStaysSettled(t *testing.T) {
	srv := newServer(t)
	cfg := configOf(srv)
	cfg.RequestBytes = 64 * config.KiB
	s := openSink(t, cfg)
	srv.before = func(w http.ResponseWriter, r *http.Request) bool {
		return len(srv.requests) > 2 && answer(http.StatusInternalServerError, nil)(w, r)
	}
	verdicts, err := s.Deliver(t.Context(), rowsOf(sinktest.Batch(t, 64)))
	if err != nil {
		t.Fatal(err)
	}
	states := statesOf(verdicts)
	if states[sink.Accepted] == 0 || states[sink.Retry] == 0 || states[sink.Accepted]+states[sink.Retry] != 64 {
		t.Errorf("states %v", states)
	}
}

func TestAnotherServerIsUsedWhenOneFails(t *testing.T) {
	first, second := newServer(t), newServer(t)
	second.documents, second.templates = first.documents, first.templates // one cluster
	var log bytes.Buffer
	s := openLogged(t, configOf(first, second), slog.New(slog.NewTextHandler(&log, nil)))
	b := sinktest.Batch(t, 30)
	rows := rowsOf(b)
	deliver := func(rows []sink.Row) {
		t.Helper()
		verdicts, err := s.Deliver(t.Context(), rows)
		if err != nil || statesOf(verdicts)[sink.Accepted] != len(rows) {
			t.Fatalf("verdicts %v, error %v", verdicts, err)
		}
	}
	deliver(rows[:10])
	first.Close()
	deliver(rows[10:20])
	deliver(rows[20:])
	if got := len(second.requests); got != 2 {
		t.Errorf("second server had %d requests, want 2", got)
	}
	if got := strings.Count(log.String(), "server changed"); got != 1 {
		t.Errorf("log:\n%s", log.String())
	}
	second.Close()
	if _, err := s.Deliver(t.Context(), rows); err == nil || !strings.Contains(err.Error(), first.URL) || !strings.Contains(err.Error(), second.URL) {
		t.Errorf("error %v, want one that names both servers", err)
	}
}

func TestSecretsAreReadAtEachRequestAndNeverFollowARedirect(t *testing.T) {
	var seen []string
	srv := newServer(t)
	srv.before = func(_ http.ResponseWriter, r *http.Request) bool {
		seen = append(seen, r.Header.Get("Authorization"))
		return false
	}
	path := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	cfg := configOf(srv)
	cfg.Username, cfg.Password, cfg.InstallTemplate = "weir", config.NewSecret(path), false
	srv.templates["weir-events"] = []byte("{}")
	s := openSink(t, cfg)
	rows := rowsOf(sinktest.Batch(t, 1))
	for _, password := range []string{"one", "two"} {
		write(password)
		if _, err := s.Deliver(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"Basic d2VpcjpvbmU=", "Basic d2Vpcjp0d28="}, seen); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Deliver(t.Context(), rows); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the file", err)
	}
}

func TestAServerThatIsNotTheOneOfTheAuthorityIsRefused(t *testing.T) {
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	cfg := Default()
	cfg.URLs = []string{tls.URL}
	_, err := openSink(t, cfg).Deliver(t.Context(), rowsOf(sinktest.Batch(t, 1)))
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}

func TestBadTLSFilesAreNamedAtOpen(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		tls  TLS
		want string
	}{
		"missing authority":   {TLS{CA: "/nonexistent/ca.pem"}, "/nonexistent/ca.pem"},
		"empty authority":     {TLS{CA: empty}, "has no certificate in PEM"},
		"missing certificate": {TLS{Cert: "/nonexistent/c.pem", Key: empty}, "/nonexistent/c.pem"},
		"empty key":           {TLS{Cert: empty, Key: empty}, "tls.key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.URLs, cfg.TLS = []string{"https://127.0.0.1:1"}, test.tls
			if _, err := cfg.Open(t.Context(), sink.Env{Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestRetryAfterHasTwoForms(t *testing.T) {
	now := time.Date(2026, 11, 24, 7, 36, 31, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"17":                            17 * time.Second,
		"-1":                            0,
		"soon":                          0,
		"99999999999":                   0,
		"Tue, 24 Nov 2026 07:37:31 GMT": time.Minute,
		"Tue, 24 Nov 2020 07:37:31 GMT": 0,
	}
	for value, want := range tests {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"defaults lack only a server": {func(c *Config) { c.URLs = nil }, "urls: is missing"},
		"not a server":                {func(c *Config) { c.URLs = []string{"search1:9200"} }, "urls[0]: is no server"},
		"password in it":              {func(c *Config) { c.URLs = []string{"https://a:b@search1:9200"} }, "urls[0]: holds a password"},
		"query":                       {func(c *Config) { c.URLs = []string{"https://search1:9200/?x=1"} }, "urls[0]: has more"},
		"name":                        {func(c *Config) { c.DataStream = "Weir Events" }, "data_stream: "},
		"no password":                 {func(c *Config) { c.Username = "weir" }, "password: is missing"},
		"no user":                     {func(c *Config) { c.Password = config.NewSecret("/x") }, "username: is missing"},
		"both": {func(c *Config) {
			c.Username, c.Password, c.APIKey = "a", config.NewSecret("/x"), config.NewSecret("/y")
		}, "api_key: stands beside"},
		"size":    {func(c *Config) { c.RequestBytes = 1 }, "request_bytes: "},
		"timeout": {func(c *Config) { c.Timeout = 0 }, "timeout: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Default()
			cfg.URLs = []string{"https://search1:9200"}
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			test.change(cfg)
			if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// same renders every row alike: what is measured is the request.
type same string

func (d same) Append(dst []byte, _ batch.Row) []byte { return append(dst, d...) }

func BenchmarkFill(b *testing.B) {
	for name, newBody := range map[string]func() any{"plain": newPlainBody, "gzip": newGzipBody} {
		b.Run(name, func(b *testing.B) {
			source := sinktest.Batch(b, 1000)
			source.Documents = same(`{"@timestamp":"2026-11-24T07:36:31.123456Z","event":{"kind":"event"},"message":"` + strings.Repeat("some text ", 90) + `"}`)
			rows, request := rowsOf(source), newBody().(*body)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := request.fill(rows, 8<<20); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/event")
		})
	}
}
