package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describeconfigs"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

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
	case "cleanup.policy", "compression.type", "message.timestamp.type":
		return have == want
	case "max.message.bytes":
		h, errHave := strconv.Atoi(have)
		w, errWant := strconv.Atoi(want)
		return errHave == nil && errWant == nil && h >= w
	}
	return true
}
