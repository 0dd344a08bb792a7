package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/incrementalalterconfigs"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// EnsureTopics creates the topics that are missing, and returns once they have leaders. It leaves those
// that exist as they are: see CheckTopics.
func (c *Client) EnsureTopics(ctx context.Context, topics []Topic) error {
	response, err := c.cluster.metadata(ctx, names(topics)...)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	missing := slices.DeleteFunc(slices.Clone(topics), func(t Topic) bool { return exists(response, t.Name) })
	if len(missing) == 0 {
		return nil
	}
	if err := c.createTopics(ctx, missing); err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	return c.waitForLeaders(ctx, missing)
}

func names(topics []Topic) []string {
	list := make([]string, len(topics))
	for i, t := range topics {
		list[i] = t.Name
	}
	return list
}

func exists(response *metadata.Response, name string) bool {
	return slices.ContainsFunc(response.Topics, func(t metadata.ResponseTopic) bool {
		return t.Name == name && t.ErrorCode != int16(kafkago.UnknownTopicOrPartition)
	})
}

func (c *Client) createTopics(ctx context.Context, topics []Topic) error {
	request := &createtopics.Request{TimeoutMs: int32(ackTimeout.Milliseconds())}
	for _, t := range topics {
		topic := createtopics.RequestTopic{Name: t.Name, NumPartitions: int32(t.Partitions), ReplicationFactor: int16(t.Replicas)}
		if t.Replicas == 0 {
			topic.ReplicationFactor = -1
		}
		for _, key := range slices.Sorted(maps.Keys(t.Config)) {
			topic.Configs = append(topic.Configs, createtopics.RequestConfig{Name: key, Value: t.Config[key]})
		}
		request.Topics = append(request.Topics, topic)
	}
	message, err := c.askController(ctx, request)
	if err != nil {
		return err
	}
	var faults []error
	for _, t := range message.(*createtopics.Response).Topics {
		err := brokerError(t.ErrorCode, t.ErrorMessage)
		if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) { // another process was first
			faults = append(faults, fmt.Errorf("%s: %w", t.Name, err))
		}
	}
	return joinLine(faults)
}

// ConfigureTopics sets what the topics say of their configuration, and leaves the rest of it.
func (c *Client) ConfigureTopics(ctx context.Context, topics []Topic) error {
	request := &incrementalalterconfigs.Request{}
	for _, t := range topics {
		r := incrementalalterconfigs.RequestResource{ResourceType: topicResource, ResourceName: t.Name}
		for _, key := range slices.Sorted(maps.Keys(t.Config)) {
			r.Configs = append(r.Configs, incrementalalterconfigs.RequestConfig{Name: key, Value: t.Config[key]}) // operation 0 is set
		}
		request.Resources = append(request.Resources, r)
	}
	message, err := c.askController(ctx, request)
	if err != nil {
		return fmt.Errorf("configure topics: %w", err)
	}
	var faults []error
	for _, r := range message.(*incrementalalterconfigs.Response).Responses {
		if err := brokerError(r.ErrorCode, r.ErrorMessage); err != nil {
			faults = append(faults, fmt.Errorf("configure topic %s: %w", r.ResourceName, err))
		}
	}
	return joinLine(faults)
}

// askController sends a request to the controller; with KRaft any broker passes it on.
func (c *Client) askController(ctx context.Context, request protocol.Message) (protocol.Message, error) {
	c.cluster.mu.Lock()
	address, ok := c.cluster.brokers[c.cluster.controller]
	c.cluster.mu.Unlock()
	if !ok {
		return c.cluster.doAny(ctx, request)
	}
	return c.cluster.do(ctx, address, request, ackTimeout+requestTimeout)
}

func (c *Client) waitForLeaders(ctx context.Context, topics []Topic) error {
	for _, t := range topics {
		deadline := time.Now().Add(c.patience)
		for {
			err := c.allLed(ctx, t.Name)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("wait for topic %s: %w", t.Name, err)
			}
			if err := sleep(ctx, firstPause); err != nil {
				return fmt.Errorf("wait for topic %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

func (c *Client) allLed(ctx context.Context, topic string) error {
	layout, err := c.cluster.refresh(ctx, topic)
	if err != nil {
		return err
	}
	if len(layout.leaders) == 0 || slices.Contains(layout.leaders, -1) {
		return kafkago.LeaderNotAvailable
	}
	return nil
}
