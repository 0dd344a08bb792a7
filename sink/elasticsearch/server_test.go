package elasticsearch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// server is as strict as Elasticsearch about what this package sends, and does what it is told to.
type server struct {
	*httptest.Server
	t *testing.T

	mu        sync.Mutex
	documents map[string][]byte // by _id
	templates map[string][]byte
	requests  []string // method and path
	// before answers in place of the server, if it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
	// status and the rest of an item for a document that would be created; 0 creates it.
	item func(document []byte) (status int, rest string)
	// Most bytes of a request's body, as it is sent.
	most int
}

func newServer(t *testing.T) *server {
	s := &server{t: t, documents: map[string][]byte{}, templates: map[string][]byte{}, most: 100 << 20}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// set changes what the server does, between requests.
func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if s.before != nil && s.before(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left
	}
	if len(body) > s.most {
		fail(w, http.StatusRequestEntityTooLarge, "", "")
		return
	}
	switch {
	case r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/_index_template/"):
		s.templates[strings.TrimPrefix(r.URL.Path, "/_index_template/")] = body
		_, _ = io.WriteString(w, `{"acknowledged":true}`)
	case r.Method == http.MethodPost && r.URL.Path == "/weir-events/_bulk":
		s.bulk(w, r, body)
	default:
		fail(w, http.StatusBadRequest, "illegal_argument_exception", "no handler found")
	}
}

func (s *server) bulk(w http.ResponseWriter, r *http.Request, body []byte) {
	if got := r.Header.Get("Content-Type"); got != "application/x-ndjson" {
		fail(w, http.StatusNotAcceptable, "content_type", got)
		return
	}
	if s.templates["weir-events"] == nil {
		s.t.Error("events came before the index template")
	}
	var in io.Reader = bytes.NewReader(body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			fail(w, http.StatusBadRequest, "gzip", err.Error())
			return
		}
		in = z
	}
	var items []string
	lines := bufio.NewReader(in)
	for {
		action, err := lines.ReadBytes('\n')
		if err == io.EOF && len(action) == 0 {
			break
		}
		document, err2 := lines.ReadBytes('\n')
		if err != nil || err2 != nil {
			fail(w, http.StatusBadRequest, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
			return
		}
		items = append(items, s.create(action, document))
	}
	fmt.Fprintf(w, `{"took":1,"items":[%s]}`, strings.Join(items, ","))
}

func (s *server) create(action, document []byte) string {
	var a struct {
		Create struct {
			ID string `json:"_id"`
		}
	}
	if err := json.Unmarshal(action, &a); err != nil || a.Create.ID == "" {
		s.t.Errorf("action %q: %v", action, err)
	}
	status, rest := http.StatusCreated, ""
	switch _, there := s.documents[a.Create.ID]; {
	case there:
		status, rest = http.StatusConflict, `,"error":{"type":"version_conflict_engine_exception","reason":"document already exists"}`
	case !json.Valid(document):
		status, rest = http.StatusBadRequest, `,"error":{"type":"document_parsing_exception","reason":"no JSON"}`
	case s.item != nil:
		if st, re := s.item(document); st != 0 {
			status, rest = st, re
		}
	}
	if status == http.StatusCreated && rest == "" {
		s.documents[a.Create.ID] = bytes.TrimSuffix(document, []byte("\n"))
	}
	return fmt.Sprintf(`{"create":{"_id":%q,"status":%d%s}}`, a.Create.ID, status, rest)
}

func fail(w http.ResponseWriter, status int, kind, reason string) {
	w.WriteHeader(status)
	if kind != "" {
		fmt.Fprintf(w, `{"error":{"root_cause":[],"type":%q,"reason":%q},"status":%d}`, kind, reason, status)
	}
}

func (s *server) list() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list [][]byte
	for _, d := range s.documents {
		list = append(list, d)
	}
	return list
}
