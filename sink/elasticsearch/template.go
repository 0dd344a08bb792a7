package elasticsearch

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// template is the index template on its way to the server.
type template struct {
	body []byte

	mu        sync.Mutex
	installed bool
}

// installTemplate puts the index template, once a process: without it the server makes a plain index in
// place of the data stream, and guesses the fields' types.
func (s *Sink) installTemplate(ctx context.Context) error {
	s.template.mu.Lock()
	defer s.template.mu.Unlock()
	if s.template.installed || !s.config.InstallTemplate {
		return nil
	}
	answer, err := s.cluster.do(ctx, request{
		method:      http.MethodPut,
		path:        "/_index_template/" + s.config.DataStream,
		contentType: "application/json",
		body:        s.template.body,
	})
	if err != nil {
		return fmt.Errorf("install index template %s: %w", s.config.DataStream, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("install index template %s: %w", s.config.DataStream, newRejected(answer.Request.URL.Host, answer))
	}
	discard(answer)
	s.template.installed = true
	s.log.Info("index template installed", "template", s.config.DataStream)
	return nil
}
