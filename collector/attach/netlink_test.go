package attach

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// netlink makes one request of the kernel in the thread's network namespace, and returns what it answers.
func netlink(protocol int, kind uint16, payload []byte) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	request := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(payload)))
	request = binary.NativeEndian.AppendUint16(request, kind)
	request = binary.NativeEndian.AppendUint16(request, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	request = append(append(request, make([]byte, 8)...), payload...)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	answer := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return nil, err
	}
	answer = answer[:n]
	if binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		if errno := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 {
			return nil, unix.Errno(-errno)
		}
	}
	return answer, nil
}

// attribute is one of netlink's, with its padding.
func attribute(kind uint16, payload ...byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(payload)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	a = append(a, payload...)
	for len(a)%4 != 0 {
		a = append(a, 0)
	}
	return a
}

func nested(kind uint16, attributes ...[]byte) []byte {
	var payload []byte
	for _, a := range attributes {
		payload = append(payload, a...)
	}
	return attribute(kind|unix.NLA_F_NESTED, payload...)
}

func number32(n uint32) []byte  { return binary.NativeEndian.AppendUint32(nil, n) }
func number16(n uint16) []byte  { return binary.NativeEndian.AppendUint16(nil, n) }
func zeroEnded(s string) []byte { return append([]byte(s), 0) }

// generic asks a family of generic netlink, which it finds by its name.
func generic(t *testing.T, name string, command uint8, attributes ...[]byte) error {
	t.Helper()
	const getFamily, familyName, familyID = 3, 2, 1
	found, err := netlink(unix.NETLINK_GENERIC, unix.GENL_ID_CTRL, append([]byte{getFamily, 1, 0, 0}, attribute(familyName, zeroEnded(name)...)...))
	if err != nil {
		return err
	}
	payload := []byte{command, 1, 0, 0}
	for _, a := range attributes {
		payload = append(payload, a...)
	}
	_, err = netlink(unix.NETLINK_GENERIC, binary.NativeEndian.Uint16(find(found[unix.SizeofNlMsghdr+4:], familyID)), payload)
	return err
}

// find returns the payload of an attribute.
func find(attributes []byte, kind uint16) []byte {
	for len(attributes) >= 4 {
		size := int(binary.NativeEndian.Uint16(attributes))
		if binary.NativeEndian.Uint16(attributes[2:]) == kind {
			return attributes[4:size]
		}
		attributes = attributes[min((size+3)&^3, len(attributes)):]
	}
	return nil
}

// addVeth makes a pair of interfaces, va in the thread's network namespace and vb in the other.
func addVeth(network int) error {
	const peer = 1 // VETH_INFO_PEER
	header := make([]byte, unix.SizeofIfInfomsg)
	other := append(append(header, attribute(unix.IFLA_IFNAME, zeroEnded("vb")...)...), attribute(unix.IFLA_NET_NS_FD, number32(uint32(network))...)...)
	request := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_IFNAME, zeroEnded("va")...)...)
	request = append(request, nested(unix.IFLA_LINKINFO,
		attribute(unix.IFLA_INFO_KIND, []byte("veth")...),
		nested(unix.IFLA_INFO_DATA, attribute(peer, other...)))...)
	_, err := netlink(unix.NETLINK_ROUTE, unix.RTM_NEWLINK, request)
	return err
}
