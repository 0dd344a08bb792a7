package ecs

import (
	"net/netip"
	"testing"
)

// The vectors of the specification (baseline/baseline_deflt.json) that have ports.
func TestCommunityIDIsThatOfTheSpecification(t *testing.T) {
	for _, c := range []struct {
		transport, a, b string
		want            string
	}{
		{"tcp", "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943", "[2607:f8b0:400c:c03::1a]:25", `"1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="`},
		{"sctp", "192.168.170.8:7", "192.168.170.56:7", `"1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="`},
		{"tcp", "128.232.110.120:34855", "66.35.250.204:80", `"1:LQU9qZlK+B5F3KDmev6m5PMibrg="`},
		{"tcp", "[::ffff:128.232.110.120]:34855", "[::ffff:66.35.250.204]:80", `"1:LQU9qZlK+B5F3KDmev6m5PMibrg="`},
		{"udp", "192.168.1.52:54585", "8.8.8.8:53", `"1:d/FP5EW3wiY1vCndhwleRRKHowQ="`},
	} {
		a, b := netip.MustParseAddrPort(c.a), netip.MustParseAddrPort(c.b)
		for _, ends := range [][2]netip.AddrPort{{a, b}, {b, a}} {
			if got := string(appendCommunityID(nil, transports[c.transport], ends[0], ends[1])); got != c.want {
				t.Errorf("%s %v: %s, want %s", c.transport, ends, got, c.want)
			}
		}
	}
}
