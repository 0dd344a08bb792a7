package digest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/collector/executable"
)

// include/uapi/linux/capability.h: struct vfs_ns_cap_data, all little endian.
const (
	revisionMask   = 0xff000000
	revision1      = 0x01000000
	revision2      = 0x02000000
	revision3      = 0x03000000
	effectiveFlag  = 1
	revision1Bytes = 12
	revision2Bytes = 20
	revision3Bytes = 24
)

// capabilitiesOf reads the file capabilities of an open file.
func capabilitiesOf(fd int) (executable.Capabilities, error) {
	var raw [64]byte
	n, err := unix.Fgetxattr(fd, "security.capability", raw[:])
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return executable.Capabilities{}, nil
	case err != nil:
		return executable.Capabilities{}, fmt.Errorf("security.capability: %w", err)
	}
	return parseCapabilities(raw[:n])
}

func parseCapabilities(raw []byte) (c executable.Capabilities, err error) {
	if len(raw) < 4 {
		return c, fmt.Errorf("security.capability of %d bytes", len(raw))
	}
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(raw[4*i:])) }
	magic := uint32(word(0))
	switch revision := magic & revisionMask; {
	case revision == revision1 && len(raw) == revision1Bytes:
		c.Permitted, c.Inheritable = word(1), word(2)
	case revision == revision2 && len(raw) == revision2Bytes, revision == revision3 && len(raw) == revision3Bytes:
		c.Permitted, c.Inheritable = word(1)|word(3)<<32, word(2)|word(4)<<32
	default:
		return c, fmt.Errorf("security.capability of %d bytes begins with %#x", len(raw), magic)
	}
	if len(raw) == revision3Bytes {
		c.RootUID = uint32(word(5))
	}
	c.Effective = magic&effectiveFlag != 0
	return c, nil
}
