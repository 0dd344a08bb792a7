package kafka

import (
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

// What a RecordError wraps: why the record will never be taken.
var (
	ErrTooLarge      = errors.New("record is larger than its topic takes")
	ErrInvalidRecord = errors.New("record is not what its topic takes")
	ErrUnauthorized  = errors.New("not authorized")
	ErrUnknownTopic  = errors.New("no such topic or partition")
	ErrRefused       = errors.New("refused")
)

// RecordError says which record of a Produce will never be taken, and why. Those before it in the same
// partition are written, those after it are not; of other partitions nothing is known.
type RecordError struct {
	Index     int // in the arguments of Produce
	Topic     string
	Partition int
	Err       error // wraps one of the errors above
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %d to %s/%d: %v", e.Index, e.Topic, e.Partition, e.Err)
}

// Unwrap returns the reason.
func (e *RecordError) Unwrap() error { return e.Err }

// IsRefused reports whether the record itself is at fault, so that neither time nor a right helps.
func IsRefused(err error) bool {
	return errors.Is(err, ErrTooLarge) || errors.Is(err, ErrInvalidRecord)
}

// UnreachableError says which broker could not be connected to, and why.
type UnreachableError struct {
	Address string
	Err     error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("broker %s: %v", e.Address, e.Err) }

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// brokerError is an error code with what the broker says about it.
func brokerError(code int16, message string) error {
	if code == 0 {
		return nil
	}
	if message == "" {
		return kafkago.Error(code)
	}
	return fmt.Errorf("%w: %s", kafkago.Error(code), message)
}

// remedy is what may help when records are not taken.
type remedy uint8

const (
	retry        remedy = iota // the same again, for ever
	retryBriefly               // the same again, but it may be for ever in vain
	split                      // fewer records at once
	giveUp                     // nothing
)

// judge finds the remedy for a failed produce request, and the reason that is told where none is left.
func judge(err error) (remedy, error) {
	code, ok := errors.AsType[kafkago.Error](err)
	if !ok {
		return retry, nil
	}
	switch code {
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidMessageSize:
		return split, ErrTooLarge
	case kafkago.InvalidRecord, kafkago.InvalidTimestamp, kafkago.UnsupportedForMessageFormat:
		return split, ErrInvalidRecord
	case kafkago.InvalidMessage: // Kafka's CORRUPT_MESSAGE: a bad wire, or a keyless record for a compacted topic
		return retryBriefly, ErrInvalidRecord
	case kafkago.UnknownTopicOrPartition:
		return retryBriefly, ErrUnknownTopic
	case kafkago.TopicAuthorizationFailed, kafkago.ClusterAuthorizationFailed:
		return giveUp, ErrUnauthorized
	case kafkago.InvalidTopic, kafkago.PolicyViolation, kafkago.InvalidRequiredAcks, kafkago.UnsupportedVersion:
		return giveUp, ErrRefused
	}
	return retry, nil
}
