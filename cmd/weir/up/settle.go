package up

import (
	"context"
	"errors"
	"fmt"

	"github.com/weirproject/weir/cmd/weir/look"
	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/schema"
)

// settle waits until all that the collector sent is with every sink, and prints the books.
func (s *stream) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	behind := s.enricher.Drain(ctx)
	if behind != nil {
		behind = fmt.Errorf("%w after %s; the broker keeps it, and the next start goes on", behind, drainTimeout)
	}
	return errors.Join(behind, s.printBooks(context.WithoutCancel(ctx)))
}

func (s *stream) printBooks(ctx context.Context) error {
	hosts, err := balance.All(ctx, s.kafka, s.env.Log)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if schema.HostID(h.GetHostId()) != s.collector.Host() {
			continue
		}
		if _, err := fmt.Fprintln(s.env.Stdout); err != nil {
			return err
		}
		if err := look.PrintBalance(s.env.Stdout, h); err != nil {
			return err
		}
		if d := h.Table().Sum(); d != 0 {
			return fmt.Errorf("the books are open by %d events", d)
		}
	}
	return nil
}
