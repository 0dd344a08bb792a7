package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/describeconfigs"
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

// CheckTopics compares the topics with what exists: a topic that is missing, another number of partitions
// and another configuration are each told with what would set it right.
func (c *Client) CheckTopics(ctx context.Context, topics []Topic) error {
	response, err := c.cluster.metadata(ctx, names(topics)...)
	if err != nil {
		return fmt.Errorf("check topics: %w", err)
	}
	var faults []error
	var present []Topic
	for _, t := range topics {
		i := slices.IndexFunc(response.Topics, func(r metadata.ResponseTopic) bool { return r.Name == t.Name })
		switch {
		case i < 0 || response.Topics[i].ErrorCode == int16(kafkago.UnknownTopicOrPartition):
			faults = append(faults, fmt.Errorf("topic %s is missing; create it with %d partitions", t.Name, t.Partitions))
		case response.Topics[i].ErrorCode != 0:
			faults = append(faults, fmt.Errorf("topic %s: %w", t.Name, kafkago.Error(response.Topics[i].ErrorCode)))
		case len(response.Topics[i].Partitions) != t.Partitions:
			faults = append(faults, fmt.Errorf("topic %s has %d partitions, need %d; keys of different topics must meet on one partition", t.Name, len(response.Topics[i].Partitions), t.Partitions))
		default:
			present = append(present, t)
		}
	}
	faults = append(faults, c.checkConfigs(ctx, present))
	return errors.Join(faults...)
}

const topicResource = 2 // KIP-133's ConfigResource.Type

func (c *Client) checkConfigs(ctx context.Context, topics []Topic) error {
	if len(topics) == 0 {
		return nil
	}
	request := &describeconfigs.Request{}
	for _, t := range topics {
		keys := slices.Sorted(maps.Keys(t.Config))
		request.Resources = append(request.Resources, describeconfigs.RequestResource{ResourceType: topicResource, ResourceName: t.Name, ConfigNames: keys})
	}
	message, err := c.askController(ctx, request)
	if err != nil {
		return fmt.Errorf("check topics: %w", err)
	}
	var faults []error
	for _, r := range message.(*describeconfigs.Response).Resources {
		if err := brokerError(r.ErrorCode, r.ErrorMessage); err != nil {
			faults = append(faults, fmt.Errorf("topic %s: read its configuration: %w", r.ResourceName, err))
			continue
		}
		want := topics[slices.IndexFunc(topics, func(t Topic) bool { return t.Name == r.ResourceName })].Config
		for _, e := range r.ConfigEntries {
			if value, ok := want[e.ConfigName]; ok && !suits(e.ConfigName, e.ConfigValue, value) {
				faults = append(faults, fmt.Errorf("topic %s: %s is %s, need %s; kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s",
					r.ResourceName, e.ConfigName, e.ConfigValue, value, r.ResourceName, e.ConfigName, value))
			}
		}
	}
	return errors.Join(faults...)
}

// suits reports whether a topic's value of a key does. How long and how safely records are kept is the
// operator's choice; a larger record may always be taken.
func suits(key, have, want string) bool {
	switch key {
	case "cleanup.policy", "compression.type":
		return have == want
	case "max.message.bytes":
		h, errHave := strconv.Atoi(have)
		w, errWant := strconv.Atoi(want)
		return errHave == nil && errWant == nil && h >= w
	}
	return true
}
