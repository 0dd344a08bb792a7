// Package all lists the destinations. Only the programs import it: a room that did would link every sink.
package all

import (
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/elasticsearch"
	"github.com/weirproject/weir/sink/file"
	"github.com/weirproject/weir/sink/kafka"
	"github.com/weirproject/weir/sink/stdout"
)

// All returns every destination, in the order of the documentation.
func All() []sink.Destination {
	return []sink.Destination{file.Destination, elasticsearch.Destination, kafka.Destination, stdout.Destination}
}
