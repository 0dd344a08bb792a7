package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Client produces to one cluster and consumes from it. It is safe for concurrent use.
type Client struct {
	config  Config
	log     *slog.Logger
	cluster *cluster
	// patience is how long an unknown topic is waited for before a record is given back.
	patience time.Duration
}

// unknownTopicPatience outlasts the creation of a topic and a controller's failover.
const unknownTopicPatience = 30 * time.Second

// Open reads the files that the configuration names. It connects to nothing.
func Open(c Config, log *slog.Logger) (*Client, error) {
	if err := c.validateAll(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	tls, err := tlsConfig(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	mechanism, err := login(c.SASL)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	d := dialer{clientID: c.ClientID, tls: tls, login: mechanism}
	return &Client{config: c, log: log, cluster: newCluster(d, c.Brokers), patience: unknownTopicPatience}, nil
}

func (c Config) validateAll() error {
	faults := []error{c.Validate()}
	if c.TLS != nil {
		faults = append(faults, c.TLS.Validate())
	}
	if c.SASL != nil {
		faults = append(faults, c.SASL.Validate())
	}
	return errors.Join(faults...)
}

// Close closes the connections. Nothing may be under way.
func (c *Client) Close() error {
	c.cluster.close()
	return nil
}

// Ping asks the cluster for its brokers. The error names each broker that was tried, and why it did not
// answer, in one line.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.cluster.metadata(ctx)
	return err
}

// Partitions returns the numbers of a topic's partitions.
func (c *Client) Partitions(ctx context.Context, topic string) ([]int, error) {
	layout, err := c.cluster.layout(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", topic, err)
	}
	return slices.Clone(layout.ids), nil
}

// WaitReachable returns once a broker answers, or ctx ends. Until then it says which do not and why, once
// and whenever that changes.
func (c *Client) WaitReachable(ctx context.Context) error {
	start, last := time.Now(), ""
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		err := c.Ping(ctx)
		if err == nil {
			if last != "" {
				c.log.Info("kafka is reachable", "after", time.Since(start).Round(time.Millisecond))
			}
			return nil
		}
		if ctx.Err() == nil && err.Error() != last {
			last = err.Error()
			c.log.Warn("kafka is unreachable; waiting for it", "error", last)
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("wait for kafka: %w", err)
		}
	}
}

// joinLine is errors.Join in one line, each text once.
func joinLine(errs []error) error {
	if len(errs) <= 1 {
		return errors.Join(errs...)
	}
	return &lineError{errs}
}

type lineError struct{ errs []error }

func (e *lineError) Error() string {
	texts := make([]string, len(e.errs))
	for i, err := range e.errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e *lineError) Unwrap() []error { return e.errs }
