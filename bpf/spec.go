package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// mustSpec parses the embedded object. That it parses is a matter of the build, not of the machine.
func mustSpec() *ebpf.CollectionSpec {
	spec, err := loadObject()
	if err != nil {
		panic(fmt.Sprintf("bpf: embedded object: %v", err))
	}
	return spec
}
