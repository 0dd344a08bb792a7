package kafka

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// Committed returns the offset that a group goes on from in each of the topic's partitions: 0 where it has
// not committed any.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int]int64, error) {
	partitions, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	address, err := c.coordinator(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("coordinator of group %s: %w", group, err)
	}
	of := offsetfetch.RequestTopic{Name: topic}
	for _, p := range partitions {
		of.PartitionIndexes = append(of.PartitionIndexes, int32(p))
	}
	request := &offsetfetch.Request{GroupID: group, Topics: []offsetfetch.RequestTopic{of}}
	message, err := c.cluster.do(ctx, address, request, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	response := message.(*offsetfetch.Response)
	if err := brokerError(response.ErrorCode, ""); err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	offsets := map[int]int64{}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := brokerError(p.ErrorCode, ""); err != nil {
				return nil, fmt.Errorf("offset of group %s in %s/%d: %w", group, t.Name, p.PartitionIndex, err)
			}
			offsets[int(p.PartitionIndex)] = max(p.CommittedOffset, 0)
		}
	}
	return offsets, nil
}

// coordinator returns the address of the broker that keeps the group's offsets.
func (c *Client) coordinator(ctx context.Context, group string) (string, error) {
	message, err := c.cluster.doAny(ctx, &findcoordinator.Request{Key: group})
	if err != nil {
		return "", err
	}
	response := message.(*findcoordinator.Response)
	if err := brokerError(response.ErrorCode, response.ErrorMessage); err != nil {
		return "", err
	}
	return net.JoinHostPort(response.Host, strconv.Itoa(int(response.Port))), nil
}
