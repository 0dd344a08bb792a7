package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// A member that was killed is noticed after sessionTimeout, a new one by the next heartbeat.
	sessionTimeout    = 10 * time.Second
	heartbeatInterval = time.Second
	rebalanceTimeout  = 30 * time.Second
	// joinPause is between attempts to join: a fresh cluster answers "[15] Group Coordinator Not
	// Available" to the first ones.
	joinPause = 500 * time.Millisecond
	// partitionWatch is how soon new partitions of the group's topics are noticed.
	partitionWatch = 30 * time.Second
	// leaveTimeout is how long a shutdown waits for the group's coordinator. kafka-go alone would wait
	// for an outstanding join as long as the slowest member takes.
	leaveTimeout = 5 * time.Second
)

// Opener makes the handler of a partition that was assigned. ctx ends when the partition is given up.
type Opener func(ctx context.Context, topic string, partition int) (Handler, error)

// Consume takes part in a consumer group until ctx ends; then it commits what is done, leaves, and returns
// nil. Each assigned partition is handled by a goroutine of its own, from the group's last commit or else
// from the partition's first record. Troubles with the cluster and errors of handlers are logged and
// outlasted.
func (c *Client) Consume(ctx context.Context, group string, topics []string, open Opener) error {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	members, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID:                     group,
		Brokers:                c.config.Brokers,
		Topics:                 topics,
		Dialer:                 c.groupDialer(late),
		SessionTimeout:         sessionTimeout,
		HeartbeatInterval:      heartbeatInterval,
		RebalanceTimeout:       rebalanceTimeout,
		JoinGroupBackoff:       joinPause,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: partitionWatch,
		StartOffset:            kafkago.FirstOffset,
	})
	if err != nil {
		return fmt.Errorf("join group %s: %w", group, err)
	}
	joined := outage{log: c.log, action: "join group", quiet: 1, args: []any{"group", group}}
	for ctx.Err() == nil {
		generation, err := members.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			joined.failed(err)
			continue // kafka-go paused for joinPause
		}
		joined.over()
		c.start(generation, open)
	}
	timer := time.AfterFunc(leaveTimeout, end)
	defer timer.Stop()
	return members.Close() // gives up the generation's lanes and waits for them
}

// groupDialer opens the group's connections as all others are opened; they break when ctx ends.
// kafka-go's own dialing logs in without any deadline.
func (c *Client) groupDialer(ctx context.Context) *kafkago.Dialer {
	return &kafkago.Dialer{
		ClientID: c.config.ClientID,
		Timeout:  dialTimeout,
		DialFunc: func(dialing context.Context, _, address string) (net.Conn, error) {
			conn, err := c.cluster.dialer.dial(dialing, address)
			if err != nil {
				return nil, err
			}
			if err := conn.net.SetDeadline(time.Time{}); err != nil {
				return nil, err
			}
			return boundConn{conn.net, context.AfterFunc(ctx, conn.close)}, nil
		},
	}
}

// boundConn is a connection that a context's end closes.
type boundConn struct {
	net.Conn
	release func() bool
}

func (c boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// start runs a lane for each partition of a generation, which ends when the group rebalances.
func (c *Client) start(generation *kafkago.Generation, open Opener) {
	for topic, partitions := range generation.Assignments {
		for _, p := range partitions {
			l := newLane(c, generation, topic, p, open)
			generation.Start(func(ended context.Context) {
				ctx, cancel := context.WithCancel(ended)
				defer cancel()
				l.run(ctx)
			})
		}
	}
}

// isStale says that a commit came too late: its generation is over, and another member starts from the
// commit before.
func isStale(err error) bool {
	return errors.Is(err, kafkago.IllegalGeneration) || errors.Is(err, kafkago.UnknownMemberId) || errors.Is(err, kafkago.RebalanceInProgress)
}
