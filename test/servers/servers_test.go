package servers

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestOpenSearchServes(t *testing.T) { createsOnce(t, StartOpenSearch(t)) }

func TestElasticsearchServes(t *testing.T) { createsOnce(t, StartElasticsearch(t)) }

// createsOnce checks what weir's sink relies on: create answers 201, then 409.
func createsOnce(t *testing.T, url string) {
	t.Helper()
	for _, want := range []int{http.StatusCreated, http.StatusConflict} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/index/_create/1", strings.NewReader(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s, want %d: %s", response.Status, want, body)
		}
	}
}
