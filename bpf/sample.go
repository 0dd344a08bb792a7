package bpf

import (
	"bytes"
	"net/netip"
	"strings"
	"unsafe"
)

// The samples as sample.h declares and explains them.
type (
	Head         = objectHead
	Actor        = objectActor
	ProcessKey   = objectProcessKey
	CgroupIDs    = objectCgroupIds
	CgroupKey    = objectCgroupKey
	CgroupPath   = objectCgroupPath
	ProcessFacts = objectProcessFacts
	FileFacts    = objectFileFacts
	Connection   = objectConnection

	ForkSample    = objectForkSample
	ExecSample    = objectExecSample
	ExitSample    = objectExitSample
	ConnectSample = objectConnectSample
	ListenSample  = objectListenSample
	CloseSample   = objectCloseSample
	AcceptSample  = objectAcceptSample
	ProcessSample = objectProcessSample

	ExecFailedSample = objectExecFailedSample
)

// PathEnd says how the walk of a path's dentries ended.
type PathEnd = objectPathEnd

const (
	PathUnknown  = objectPathEndPATH_UNKNOWN  // there was none
	PathWhole    = objectPathEndPATH_WHOLE    // at the root
	PathCut      = objectPathEndPATH_CUT      // at the walk's bound: the first parts are missing
	PathDetached = objectPathEndPATH_DETACHED // at a dentry that hangs in no tree, such as memfd:NAME
)

// Direction says who opened a connection.
type Direction = objectDirection

const (
	DirectionUnknown  = objectDirectionDIRECTION_UNKNOWN
	DirectionOutbound = objectDirectionDIRECTION_OUTBOUND
	DirectionInbound  = objectDirectionDIRECTION_INBOUND
)

// ConnectResult says how an attempt to connect ended.
type ConnectResult = objectConnectResult

const (
	ConnectAnswered  = objectConnectResultCONNECT_ANSWERED  // Error tells
	ConnectFailed    = objectConnectResultCONNECT_FAILED    // before a SYN left; the errno is not known
	ConnectAbandoned = objectConnectResultCONNECT_ABANDONED // the process gave up before there was an answer
	ConnectPending   = objectConnectResultCONNECT_PENDING   // it has not ended
)

// FirstCloser says which end was the first to close.
type FirstCloser = objectFirstCloser

const (
	FirstCloserUnknown = objectFirstCloserFIRST_CLOSER_UNKNOWN
	FirstCloserLocal   = objectFirstCloserFIRST_CLOSER_LOCAL
	FirstCloserRemote  = objectFirstCloserFIRST_CLOSER_REMOTE
	FirstCloserNeither = objectFirstCloserFIRST_CLOSER_NEITHER // the kernel gave up: keepalive, retransmission
)

// ResetBy says which end reset a connection.
type ResetBy = objectResetBy

const (
	ResetByNobody = objectResetByRESET_BY_NOBODY
	ResetByLocal  = objectResetByRESET_BY_LOCAL
	ResetByRemote = objectResetByRESET_BY_REMOTE
	ResetByEither = objectResetByRESET_BY_EITHER // by the other, or in answer to data that came after close
)

// IsZero reports whether the key names no process.
func (k ProcessKey) IsZero() bool { return k.Tgid == 0 && k.StartNs == 0 && k.ExecCount == 0 }

// CommName returns the name of the leader's thread, without its NUL byte. It points into the sample.
func (f *ProcessFacts) CommName() []byte { return untilNUL(f.Comm[:]) }

// Parts returns the names of the group's path, the root's child first.
func (p *CgroupPath) Parts() []string {
	text := strings.TrimSuffix(string(p.Text[:min(int(p.Size), len(p.Text))]), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// LocalEnd returns the host's address and port.
func (c *Connection) LocalEnd() netip.AddrPort {
	return netip.AddrPortFrom(address(c.Family, &c.Local), c.LocalPort)
}

// RemoteEnd returns the other end's address and port.
func (c *Connection) RemoteEnd() netip.AddrPort {
	return netip.AddrPortFrom(address(c.Family, &c.Remote), c.RemotePort)
}

// End returns the address and port that the socket listens on.
func (s *ListenSample) End() netip.AddrPort {
	return netip.AddrPortFrom(address(s.Family, &s.Address), s.Port)
}

// Path is the path of a file as the kernel holds it: its parts, leaf first, each ended by a NUL byte.
type Path struct {
	Parts []byte // points into the sample
	End   PathEnd
}

// Append appends the path to dst, the root first. A path that was cut begins with its first known part,
// without a slash before it.
func (p Path) Append(dst []byte) []byte {
	if p.End == PathWhole {
		dst = append(dst, '/')
	}
	return appendParts(dst, bytes.TrimSuffix(p.Parts, []byte{0}))
}

// appendParts turns round what lies between the NUL bytes of rest.
func appendParts(dst, rest []byte) []byte {
	for {
		i := bytes.LastIndexByte(rest, 0)
		dst = append(dst, rest[i+1:]...)
		if i < 0 {
			return dst
		}
		dst = append(dst, '/')
		rest = rest[:i]
	}
}

// Executable returns the path of the file that the process runs. It points into the sample.
func (s *ProcessSample) Executable() Path {
	from := int(unsafe.Sizeof(*s))
	to := from + int(s.ExecutableSize)
	parts := unsafe.Slice((*byte)(unsafe.Pointer(s)), s.Head.Size)[from:to:to]
	return Path{parts, PathEnd(s.ExecutableEnd)}
}

func untilNUL(b []byte) []byte {
	if before, _, ok := bytes.Cut(b, []byte{0}); ok {
		return before
	}
	return b
}

const familyIPv4 = 2 // AF_INET

// address makes an address of words in network order.
func address(family uint16, words *[4]uint32) netip.Addr {
	raw := (*[16]byte)(unsafe.Pointer(words))
	if family == familyIPv4 {
		return netip.AddrFrom4([4]byte(raw[:4]))
	}
	return netip.AddrFrom16(*raw)
}
