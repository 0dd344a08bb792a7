package stream_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/weirproject/weir/test/servers"
)

// search is a data stream of a search server.
type search struct {
	url, stream string
}

// call sends a request, and fails the test for an answer that is none of 200 and also.
func (s search) call(t *testing.T, method, path, body string, also ...int) []byte {
	t.Helper()
	return servers.Call(t, method, s.url+path, body, also...)
}

// page is how many documents one answer holds: below index.max_result_window.
const page = 2000

// of returns the events whose field has the value, those of a data stream that is not there yet: none.
func (s search) of(t *testing.T, field, value string) []event {
	t.Helper()
	s.call(t, http.MethodPost, "/"+s.stream+"/_refresh", "", http.StatusNotFound)
	var events []event
	for after := ""; ; {
		query := map[string]any{
			"size": page, "sort": []string{"event.id"},
			"query": map[string]any{"term": map[string]string{field: value}},
		}
		if after != "" {
			query["search_after"] = []string{after}
		}
		found := s.hits(t, query)
		for _, document := range found {
			e := decode(t, document)
			events, after = append(events, e), e.Event.ID
		}
		if len(found) < page {
			return events
		}
	}
}

func (s search) hits(t *testing.T, query map[string]any) []json.RawMessage {
	t.Helper()
	body, err := json.Marshal(query)
	if err != nil {
		t.Fatal(err)
	}
	text := s.call(t, http.MethodPost, "/"+s.stream+"/_search?ignore_unavailable=true", string(body))
	var answer struct {
		Hits struct {
			Hits []struct {
				Source json.RawMessage `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var documents []json.RawMessage
	for _, hit := range answer.Hits.Hits {
		documents = append(documents, hit.Source)
	}
	return documents
}

// marked returns a workload's events.
func (s search) marked(t *testing.T, marker string) []event {
	t.Helper()
	return s.of(t, "process.args", marker)
}

// count returns how many of a workload's events can be found now: none while the first index is being made.
func (s search) count(t *testing.T, marker string) int {
	t.Helper()
	s.call(t, http.MethodPost, "/"+s.stream+"/_refresh", "", http.StatusNotFound)
	text := s.call(t, http.MethodPost, "/"+s.stream+"/_count?ignore_unavailable=true", fmt.Sprintf(`{"query":{"term":{"process.args":%q}}}`, marker), http.StatusServiceUnavailable)
	var answer struct {
		Count int `json:"count"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return answer.Count
}
