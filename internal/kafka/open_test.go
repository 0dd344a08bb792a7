package kafka

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirproject/weir/internal/config"
)

func TestAConfigurationIsToldWhatIsWrongWithIt(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noise, absent := file("noise.pem", "no PEM"), filepath.Join(dir, "absent.pem")
	tests := map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no broker":                   {func(c *Config) { c.Brokers = nil }, []string{"brokers", "name at least one"}},
		"a broker without a port":     {func(c *Config) { c.Brokers = []string{"kafka1"} }, []string{`"kafka1" is not an address`, "host:port"}},
		"port 0":                      {func(c *Config) { c.Brokers = []string{"kafka1:0"} }, []string{"is not an address"}},
		"too little to fetch":         {func(c *Config) { c.FetchBytes = 1 }, []string{"fetch_bytes", "8MiB"}},
		"an authority that is absent": {func(c *Config) { c.TLS = &TLS{CA: absent} }, []string{"tls.ca", absent, "no such file"}},
		"an authority that is noise":  {func(c *Config) { c.TLS = &TLS{CA: noise} }, []string{"tls.ca", noise, "no PEM certificate"}},
		"a certificate without a key": {func(c *Config) { c.TLS = &TLS{Cert: noise} }, []string{"key", "go together"}},
		"a certificate that is noise": {func(c *Config) { c.TLS = &TLS{Cert: noise, Key: noise} }, []string{"tls.cert", noise, "PEM"}},
		"a login without anything":    {func(c *Config) { c.SASL = &SASL{} }, []string{"mechanism", "user", "password", "scram-sha-512"}},
		"a password that is absent":   {func(c *Config) { c.SASL = &SASL{Plain, "u", config.NewSecret(absent)} }, []string{"sasl.password", absent}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings := Default()
			test.change(&settings)
			_, err := Open(settings, slog.New(slog.DiscardHandler))
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
}

// peer listens and gives each connection to serve.
func peer(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func TestWhoIsNotReachedIsNamedWithTheReason(t *testing.T) {
	web := peer(t, func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_, _ = c.Read(make([]byte, 1<<10))
	})
	closing := peer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	tests := map[string]struct {
		address string
		want    string
	}{
		"nobody":            {"127.0.0.1:1", "connection refused"},
		"a web server":      {web, `it is no Kafka broker: it answers "HTTP/1.1"`},
		"one that hangs up": {closing, "it may want TLS"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := client(t, test.address).Ping(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.address) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s and %q in one line", err, test.address, test.want)
			}
		})
	}
}

func TestAMuteBrokerIsGivenUpWithTheContext(t *testing.T) {
	mute := peer(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<10)); _, _ = c.Read(make([]byte, 1)) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := client(t, mute).Ping(ctx); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestABrokerThatComesLateIsWaitedFor(t *testing.T) {
	cluster, _ := fake(t, 1)
	real := cluster.ListenAddrs()[0]
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	late := port.Addr().String()
	port.Close()
	var said strings.Builder
	settings := Default()
	settings.Brokers = []string{late}
	opens := slog.NewTextHandler(&said, nil)
	c, err := Open(settings, slog.New(opens))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	done := make(chan error)
	go func() { done <- c.WaitReachable(t.Context()) }()
	select {
	case err := <-done:
		t.Fatalf("nobody is there, and it says %v", err)
	case <-time.After(500 * time.Millisecond): // several attempts
	}
	forward(t, late, real)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), "kafka is unreachable"); n != 1 {
		t.Errorf("said %d times, want once: %s", n, &said)
	}
	if !strings.Contains(said.String(), "kafka is reachable") {
		t.Errorf("the end of the waiting is not told: %s", &said)
	}
}

// forward passes connections at one address on to another.
func forward(t *testing.T, from, to string) {
	t.Helper()
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return // closed
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				return
			}
			go func() { _, _ = out.(*net.TCPConn).ReadFrom(in); out.Close() }()
			go func() { _, _ = in.(*net.TCPConn).ReadFrom(out); in.Close() }()
		}
	}()
}
