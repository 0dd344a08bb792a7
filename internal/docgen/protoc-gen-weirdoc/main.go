// Command protoc-gen-weirdoc is the protoc plugin that writes docs/events.md.
package main

import (
	"google.golang.org/protobuf/compiler/protogen"

	"github.com/weirproject/weir/internal/docgen"
)

func main() { protogen.Options{}.Run(docgen.Generate) }
