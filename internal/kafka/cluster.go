package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

const (
	// metadataTTL is how long a topic's leaders are believed when nothing objects. Errors refresh them
	// at once, so that only new partitions wait for it; 100,000 hosts then ask 300 times a second less
	// than they would with kafka-go's 6 s.
	metadataTTL = 5 * time.Minute
	// idleTimeout is how long a connection may be unused: below what load balancers (350 s) and brokers
	// (10 min) allow.
	idleTimeout = 4 * time.Minute
	// requestTimeout bounds a request that the broker answers without waiting for anyone.
	requestTimeout = 15 * time.Second
)

// cluster knows the brokers and, of the topics in use alone, the leaders; and it keeps connections. It is
// safe for concurrent use.
type cluster struct {
	dialer dialer
	seeds  []string

	mu         sync.Mutex // guards what follows; never held during I/O
	brokers    map[int32]string
	controller int32
	topics     map[string]*topicLayout
	idle       map[string][]*conn // by address, the last used one last
	closed     bool
}

// topicLayout is what metadata says of one topic.
type topicLayout struct {
	leaders []int32 // by partition; below 0 is none
	ids     []int   // the partitions' numbers, as the partitioner wants them
	until   time.Time
}

func newCluster(d dialer, seeds []string) *cluster {
	return &cluster{dialer: d, seeds: seeds, controller: -1, topics: map[string]*topicLayout{}, idle: map[string][]*conn{}}
}

// layout returns a topic's layout, asking for it where it is not known.
func (c *cluster) layout(ctx context.Context, topic string) (*topicLayout, error) {
	c.mu.Lock()
	known := c.topics[topic]
	c.mu.Unlock()
	if known != nil && time.Now().Before(known.until) {
		return known, nil
	}
	return c.refresh(ctx, topic)
}

// leader returns the address of a partition's leader.
func (c *cluster) leader(ctx context.Context, topic string, partition int) (string, error) {
	layout, err := c.layout(ctx, topic)
	if err != nil {
		return "", err
	}
	if partition < 0 || partition >= len(layout.leaders) {
		c.forget(topic)
		return "", fmt.Errorf("%s/%d, of %d partitions: %w", topic, partition, len(layout.leaders), kafkago.UnknownTopicOrPartition)
	}
	c.mu.Lock()
	address, ok := c.brokers[layout.leaders[partition]]
	c.mu.Unlock()
	if !ok {
		c.forget(topic)
		return "", fmt.Errorf("%s/%d: %w", topic, partition, kafkago.LeaderNotAvailable)
	}
	return address, nil
}

// forget makes the next user of a topic ask for its leaders.
func (c *cluster) forget(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.topics, topic)
}

func (c *cluster) refresh(ctx context.Context, topic string) (*topicLayout, error) {
	response, err := c.metadata(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(response.Topics) != 1 || response.Topics[0].Name != topic {
		return nil, fmt.Errorf("metadata of %s: the broker answers for another topic", topic)
	}
	t := response.Topics[0]
	if t.ErrorCode != 0 {
		return nil, fmt.Errorf("metadata of %s: %w", topic, kafkago.Error(t.ErrorCode))
	}
	layout := newLayout(t.Partitions)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.topics[topic] = layout
	return layout, nil
}

func newLayout(partitions []metadata.ResponsePartition) *topicLayout {
	ttl := metadataTTL - rand.N(metadataTTL/4) // so that a fleet that was started at once does not ask at once
	l := &topicLayout{until: time.Now().Add(ttl), leaders: make([]int32, len(partitions)), ids: sequence(len(partitions))}
	for i := range l.leaders {
		l.leaders[i] = -1
	}
	for _, p := range partitions {
		if i := int(p.PartitionIndex); i >= 0 && i < len(l.leaders) {
			l.leaders[i] = p.LeaderID
		}
	}
	return l
}

// metadata asks any broker about the topics, none of them or some, and remembers the brokers.
func (c *cluster) metadata(ctx context.Context, topics ...string) (*metadata.Response, error) {
	request := &metadata.Request{TopicNames: append([]string{}, topics...)}
	message, err := c.doAny(ctx, request)
	if err != nil {
		return nil, err
	}
	response := message.(*metadata.Response)
	brokers := make(map[int32]string, len(response.Brokers))
	for _, b := range response.Brokers {
		brokers[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brokers, c.controller = brokers, response.ControllerID
	return response, nil
}

// doAny sends a request to whichever broker answers first: one that is connected already, then the
// others that are known, then those of the configuration, in random order.
func (c *cluster) doAny(ctx context.Context, request protocol.Message) (protocol.Message, error) {
	var faults []error
	for _, address := range c.candidates() {
		response, err := c.do(ctx, address, request, requestTimeout)
		if err == nil {
			return response, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		faults = append(faults, err)
	}
	return nil, joinLine(faults)
}

func (c *cluster) candidates() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var connected, known []string
	for _, address := range c.brokers {
		if len(c.idle[address]) > 0 {
			connected = append(connected, address)
		} else {
			known = append(known, address)
		}
	}
	seeds := slices.Clone(c.seeds)
	for _, list := range [][]string{known, seeds} {
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	var all []string
	for _, address := range slices.Concat(connected, known, seeds) {
		if !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	return all
}

// do sends a request to the broker at address and returns its response.
func (c *cluster) do(ctx context.Context, address string, request protocol.Message, timeout time.Duration) (response protocol.Message, err error) {
	err = c.on(ctx, address, func(ctx context.Context, conn *conn) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		response, err = conn.roundTrip(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

// on lends a connection to the broker at address, which is closed after an error.
func (c *cluster) on(ctx context.Context, address string, use func(context.Context, *conn) error) error {
	conn := c.take(address)
	if conn == nil {
		var err error
		if conn, err = c.dialer.dial(ctx, address); err != nil {
			return err
		}
	}
	if err := use(ctx, conn); err != nil {
		conn.close()
		if _, ok := errors.AsType[*UnreachableError](err); ok || ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("broker %s: %w", address, err)
	}
	c.put(conn)
	return nil
}

// take returns the last used idle connection, and closes those that were idle for too long.
func (c *cluster) take(address string) *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := c.idle[address]
	for len(idle) > 0 && time.Since(idle[0].used) > idleTimeout {
		idle[0].close()
		idle = idle[1:]
	}
	if len(idle) == 0 {
		delete(c.idle, address)
		return nil
	}
	last := len(idle) - 1
	c.idle[address] = idle[:last]
	return idle[last]
}

func (c *cluster) put(conn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.close()
		return
	}
	c.idle[conn.address] = append(c.idle[conn.address], conn)
}

func (c *cluster) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, idle := range c.idle {
		for _, conn := range idle {
			conn.close()
		}
	}
	clear(c.idle)
}
