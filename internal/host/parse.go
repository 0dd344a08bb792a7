package host

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// OSRelease is what /etc/os-release says of the distribution: os-release(5).
type OSRelease struct {
	ID      string
	Version string // VERSION_ID
	Name    string // PRETTY_NAME
}

// parseOSRelease reads shell-like assignments; what it does not understand it passes over.
func parseOSRelease(text string) OSRelease {
	var r OSRelease
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch name {
		case "ID":
			r.ID = unquote(value)
		case "VERSION_ID":
			r.Version = unquote(value)
		case "PRETTY_NAME":
			r.Name = unquote(value)
		}
	}
	return r
}

// unquote takes off the quotes of a shell word, and the backslashes that os-release(5) allows within.
func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	s, quote := s[1:len(s)-1], s[0]
	if quote == '\'' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(s)
}

// parseID reads a UUID or 32 hexadecimal digits.
func parseID(text string) (id [16]byte, err error) {
	digits := strings.ReplaceAll(strings.TrimSpace(text), "-", "")
	if len(digits) != 32 {
		return id, errors.New("is no id of 32 hexadecimal digits")
	}
	_, err = hex.Decode(id[:], []byte(digits))
	return id, err
}

// maxAddresses bounds those that are told: every batch carries them, and a node of a cluster may have one for
// each of thousands of services.
const maxAddresses = 64

// outward returns the addresses by which others may know this machine, each once and in order, the first
// maxAddresses of them: no loopback, link-local, multicast or unspecified ones.
func outward(addresses []netip.Addr) []netip.Addr {
	kept := make([]netip.Addr, 0, len(addresses))
	for _, a := range addresses {
		a = a.Unmap().WithZone("")
		if a.IsGlobalUnicast() { // private ones are global unicast, too
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, netip.Addr.Compare)
	kept = slices.Compact(kept)
	return kept[:min(len(kept), maxAddresses)]
}
