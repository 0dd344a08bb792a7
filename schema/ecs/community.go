package ecs

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"slices"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// transports are the protocol numbers of the words that network.transport has.
var transports = map[string]byte{"tcp": 6, "udp": 17, "sctp": 132}

// community returns what the transform of a community id makes of the destination's port. Where an address or
// a port is missing, nothing is said: a hash of what is not known would join what does not belong together.
func (c *compiler) community(t *schema.Table, column *schema.Column) []product {
	if column.Field.GetTransform() != weirv1.Transform_TRANSFORM_COMMUNITY_ID {
		return nil
	}
	protocol := c.protocol(t, column)
	source, sourcePort := c.beside(t, column, "source.ip"), c.beside(t, column, "source.port")
	destination := c.beside(t, column, "destination.ip")
	f := func(d *Documents, dst []byte, port uint64) []byte {
		row := d.entry[fromRow] - 1
		from, ok := d.end(source, sourcePort, row)
		to, known := netip.AddrFromSlice(d.bytes(uint64(d.columns[destination].Int(row))))
		if !ok || !known {
			return dst
		}
		return appendCommunityID(dst, protocol, from, netip.AddrPortFrom(to, uint16(port)))
	}
	return []product{{path: "network.community_id", shape: shape{f, "keyword"}}}
}

// protocol returns the transport protocol of all events of a kind.
func (c *compiler) protocol(t *schema.Table, column *schema.Column) byte {
	if k, ok := schema.KindByNumber(t.Number); ok {
		for _, constant := range k.Options.GetConstants() {
			if p := transports[constant.GetValue()]; p != 0 && constant.GetEcs() == "network.transport" {
				return p
			}
		}
	}
	c.fail("column %s: its kind says no network.transport", column.Name)
	return 0
}

// beside binds the column of the same group that stands at path.
func (c *compiler) beside(t *schema.Table, column *schema.Column, path string) int {
	i := slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Field.GetEcs() == path })
	if i < 0 {
		c.fail("column %s: no column of its group is %s", column.Name, path)
		return 0
	}
	return c.bind(t, &t.Columns[i])
}

// end returns one end of a connection, by the bindings of its columns.
func (d *Documents) end(address, port, row int) (netip.AddrPort, bool) {
	a, ok := netip.AddrFromSlice(d.bytes(uint64(d.columns[address].Int(row))))
	p := uint16(d.columns[port].Int(row))
	return netip.AddrPortFrom(a, p), ok && p != 0
}

// appendCommunityID appends a flow's Community ID, version 1 with seed 0, which is the same for both directions
// and on every sensor: https://github.com/corelight/community-id-spec. The ends are of one family.
func appendCommunityID(dst []byte, protocol byte, a, b netip.AddrPort) []byte {
	a, b = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), netip.AddrPortFrom(b.Addr().Unmap(), b.Port())
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	var buffer [2 + 16 + 16 + 2 + 2 + 2]byte
	flow := buffer[:2] // the seed
	flow = appendAddressBytes(flow, a.Addr())
	flow = appendAddressBytes(flow, b.Addr())
	flow = append(flow, protocol, 0)
	flow = binary.BigEndian.AppendUint16(flow, a.Port())
	flow = binary.BigEndian.AppendUint16(flow, b.Port())
	sum := sha1.Sum(flow)
	return append(base64.StdEncoding.AppendEncode(append(dst, `"1:`...), sum[:]), '"')
}

func appendAddressBytes(dst []byte, a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return append(dst, b[:]...)
	}
	b := a.As16()
	return append(dst, b[:]...)
}
