package elasticsearch

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// cluster speaks HTTP with the servers of one cluster.
type cluster struct {
	config *Config
	client *http.Client
	log    *slog.Logger
	// Index of the server that is used. Partitions of a lane share it; each moves it on when it fails.
	current atomic.Int64
}

func newCluster(c *Config, log *slog.Logger) (*cluster, error) {
	tls, err := c.TLS.client()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tls
	return &cluster{config: c, log: log, client: &http.Client{
		Transport: transport,
		Timeout:   c.Timeout,
		// A redirected POST would become a GET, or carry the password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// request is one call, the same for whichever server takes it.
type request struct {
	method, path string
	contentType  string
	gzip         bool
	body         []byte
}

// do offers the request to one server after the other until one answers. Status 502 to 504 is no answer:
// it is what a proxy says of a server that is away. Bodies can be sent twice, since an event's id makes
// the second a duplicate. The caller closes the answer's body.
func (c *cluster) do(ctx context.Context, r request) (*http.Response, error) {
	var errs []error
	first := c.current.Load()
	for i := range int64(len(c.config.URLs)) {
		at := (first + i) % int64(len(c.config.URLs))
		answer, err := c.ask(ctx, c.config.URLs[at], r)
		if err == nil {
			if c.current.CompareAndSwap(first, at) && at != first {
				c.log.Info("server changed", "from", c.config.URLs[first], "to", c.config.URLs[at], "reason", errors.Join(errs...))
			}
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (c *cluster) ask(ctx context.Context, server string, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, strings.TrimSuffix(server, "/")+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", r.contentType)
	req.Header.Set("User-Agent", "weir")
	if r.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if err := c.authenticate(req); err != nil {
		return nil, err
	}
	answer, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	switch answer.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		// What asks for a wait is an answer: the runner honours it.
		if answer.Header.Get("Retry-After") == "" {
			return nil, newRejected(server, answer)
		}
	}
	return answer, nil
}

func (c *cluster) authenticate(req *http.Request) error {
	switch {
	case !c.config.APIKey.IsZero():
		key, err := c.config.APIKey.Read()
		if err != nil {
			return fmt.Errorf("api_key: %w", err)
		}
		req.Header.Set("Authorization", "ApiKey "+key)
	case c.config.Username != "":
		password, err := c.config.Password.Read()
		if err != nil {
			return fmt.Errorf("password: %w", err)
		}
		plain := c.config.Username + ":" + password
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(plain)))
	}
	return nil
}

// rejected is a whole request that was answered with anything but 200.
type rejected struct {
	Server string
	Status int
	Reason string        // the server's words
	After  time.Duration // Retry-After; 0: it does not say
}

// newRejected reads and closes the answer.
func newRejected(server string, answer *http.Response) *rejected {
	defer discard(answer)
	text, _ := io.ReadAll(io.LimitReader(answer.Body, answerBytes)) // what came says enough
	return &rejected{
		Server: server,
		Status: answer.StatusCode,
		Reason: reasonOf(text),
		After:  retryAfter(answer.Header.Get("Retry-After"), time.Now()),
	}
}

func (r *rejected) Error() string {
	text := fmt.Sprintf("%s: status %d %s", r.Server, r.Status, http.StatusText(r.Status))
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	switch r.Status {
	case http.StatusUnauthorized:
		text += "; check username and password, or api_key"
	case http.StatusForbidden:
		text += "; the user needs the right to create documents in the data stream, and to manage index templates unless install_template is off"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		text += "; check that urls name Elasticsearch or OpenSearch"
	}
	return text
}

// reasonOf finds the server's words in an answer, or takes what there is.
func reasonOf(answer []byte) string {
	var whole struct{ Error json.RawMessage }
	if json.Unmarshal(answer, &whole) != nil {
		return cut(strings.Join(strings.Fields(string(answer)), " "))
	}
	var f failure
	if json.Unmarshal(whole.Error, &f) == nil && f.Type != "" {
		return f.text()
	}
	return cut(string(whole.Error))
}

// retryAfter reads the header's two forms (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// discard reads what is left, so that the connection is used again.
func discard(answer *http.Response) {
	_, _ = io.CopyN(io.Discard, answer.Body, answerBytes) // a connection that is not used again costs a handshake
	_ = answer.Body.Close()
}
