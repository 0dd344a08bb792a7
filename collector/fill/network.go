package fill

import (
	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Connect implements bpf.Handler.
func (f *Filler) Connect(s *bpf.ConnectSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, c := f.draft.Columns().NetworkConnect, &s.Connection
	local, remote := c.LocalEnd(), c.RemoteEnd()
	g.Source = append(g.Source, f.draft.Address(local.Addr()))
	g.SourcePort = append(g.SourcePort, uint32(local.Port()))
	g.Destination = append(g.Destination, f.draft.Address(remote.Addr()))
	g.DestinationPort = append(g.DestinationPort, uint32(remote.Port()))
	g.Errno = append(g.Errno, s.Error)
	g.FailedUnknown = append(g.FailedUnknown, bpf.ConnectResult(s.Result) == bpf.ConnectFailed)
	g.Abandoned = append(g.Abandoned, bpf.ConnectResult(s.Result) == bpf.ConnectAbandoned)
	g.Pending = append(g.Pending, bpf.ConnectResult(s.Result) == bpf.ConnectPending)
	g.LatencyUs = append(g.LatencyUs, s.LatencyNs/1000)
	g.NetworkNamespace = append(g.NetworkNamespace, c.NetworkNamespace)
	g.Ipv4Mapped = append(g.Ipv4Mapped, c.Ipv4Mapped != 0)
	g.Socket = append(g.Socket, c.Socket)
	g.ActorNamespace = append(g.ActorNamespace, otherNamespace(&s.Head.Actor, c.NetworkNamespace))
	g.Interface = append(g.Interface, c.Interface)
}

// Listen implements bpf.Handler.
func (f *Filler) Listen(s *bpf.ListenSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, end := f.draft.Columns().NetworkListen, s.End()
	g.Address = append(g.Address, f.draft.Address(end.Addr()))
	g.Port = append(g.Port, uint32(end.Port()))
	g.Backlog = append(g.Backlog, s.Backlog)
	g.NetworkNamespace = append(g.NetworkNamespace, s.NetworkNamespace)
	g.DualStack = append(g.DualStack, s.DualStack != 0)
	g.ActorNamespace = append(g.ActorNamespace, otherNamespace(&s.Head.Actor, s.NetworkNamespace))
}

// Accept implements bpf.Handler.
func (f *Filler) Accept(s *bpf.AcceptSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, c := f.draft.Columns().NetworkAccept, &s.Connection
	local, remote := c.LocalEnd(), c.RemoteEnd()
	g.Source = append(g.Source, f.draft.Address(remote.Addr()))
	g.SourcePort = append(g.SourcePort, uint32(remote.Port()))
	g.Destination = append(g.Destination, f.draft.Address(local.Addr()))
	g.DestinationPort = append(g.DestinationPort, uint32(local.Port()))
	g.LatencyUs = append(g.LatencyUs, plusOne(s.LatencyNs/1000, s.LatencyNs != 0))
	g.Waiting = append(g.Waiting, plusOne(s.Waiting, s.Backlog != 0))
	g.Backlog = append(g.Backlog, s.Backlog)
	g.ListenerPort = append(g.ListenerPort, otherPort(s.ListenerPort, local.Port()))
	g.NetworkNamespace = append(g.NetworkNamespace, c.NetworkNamespace)
	g.ActorNamespace = append(g.ActorNamespace, otherNamespace(&s.Head.Actor, c.NetworkNamespace))
	g.Ipv4Mapped = append(g.Ipv4Mapped, c.Ipv4Mapped != 0)
	g.Socket = append(g.Socket, c.Socket)
	g.Late = append(g.Late, s.Late != 0)
}

// Close implements bpf.Handler.
func (f *Filler) Close(s *bpf.CloseSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, c := f.draft.Columns().NetworkClose, &s.Connection
	source, destination := c.LocalEnd(), c.RemoteEnd()
	if bpf.Direction(s.Direction) == bpf.DirectionInbound {
		source, destination = destination, source
	}
	g.Source = append(g.Source, f.draft.Address(source.Addr()))
	g.SourcePort = append(g.SourcePort, uint32(source.Port()))
	g.Destination = append(g.Destination, f.draft.Address(destination.Addr()))
	g.DestinationPort = append(g.DestinationPort, uint32(destination.Port()))
	g.Direction = append(g.Direction, directions[bpf.Direction(s.Direction)])
	g.DurationUs = append(g.DurationUs, s.DurationNs/1000)
	g.SentBytes = append(g.SentBytes, s.SentBytes)
	g.ReceivedBytes = append(g.ReceivedBytes, s.ReceivedBytes)
	g.SentSegments = append(g.SentSegments, s.SentSegments)
	g.ReceivedSegments = append(g.ReceivedSegments, s.ReceivedSegments)
	g.Errno = append(g.Errno, s.Error)
	g.NetworkNamespace = append(g.NetworkNamespace, c.NetworkNamespace)
	g.ActorNamespace = append(g.ActorNamespace, otherNamespace(&s.Head.Actor, c.NetworkNamespace))
	g.Ipv4Mapped = append(g.Ipv4Mapped, c.Ipv4Mapped != 0)
	g.Socket = append(g.Socket, c.Socket)
	f.appendEnd(g, s)
}

// appendEnd appends how the connection came to its end, and by whom.
func (f *Filler) appendEnd(g *weirv1.NetworkClose, s *bpf.CloseSample) {
	g.ActorIsCloser = append(g.ActorIsCloser, s.ActorIsCloser != 0)
	g.Closer = append(g.Closer, f.process(KeyOf(s.Closer)))
	g.FirstCloser = append(g.FirstCloser, firstClosers[bpf.FirstCloser(s.FirstCloser)])
	g.ResetBy = append(g.ResetBy, resets[bpf.ResetBy(s.ResetBy)])
	g.NeverAccepted = append(g.NeverAccepted, s.NeverAccepted != 0)
	g.NotEstablished = append(g.NotEstablished, s.NotEstablished != 0)
}

var directions = map[bpf.Direction]weirv1.Direction{
	bpf.DirectionOutbound: weirv1.Direction_DIRECTION_OUTBOUND,
	bpf.DirectionInbound:  weirv1.Direction_DIRECTION_INBOUND,
}

var firstClosers = map[bpf.FirstCloser]weirv1.FirstCloser{
	bpf.FirstCloserLocal:   weirv1.FirstCloser_FIRST_CLOSER_LOCAL,
	bpf.FirstCloserRemote:  weirv1.FirstCloser_FIRST_CLOSER_REMOTE,
	bpf.FirstCloserNeither: weirv1.FirstCloser_FIRST_CLOSER_NEITHER,
}

var resets = map[bpf.ResetBy]weirv1.ResetBy{
	bpf.ResetByLocal:  weirv1.ResetBy_RESET_BY_LOCAL,
	bpf.ResetByRemote: weirv1.ResetBy_RESET_BY_REMOTE,
	bpf.ResetByEither: weirv1.ResetBy_RESET_BY_EITHER,
}

// plusOne encodes a value that may be unknown.
func plusOne[T uint32 | uint64](v T, known bool) T {
	if !known {
		return 0
	}
	return v + 1
}

// otherNamespace is the actor's network namespace where that is not the socket's.
func otherNamespace(a *bpf.Actor, socket uint32) uint32 {
	if a.NetworkNamespace == socket {
		return 0
	}
	return a.NetworkNamespace
}

func otherPort(port, than uint16) uint32 {
	if port == than {
		return 0
	}
	return uint32(port)
}

// Retransmit implements bpf.Handler.
func (f *Filler) Retransmit(s *bpf.CountSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, by := f.draft.Columns().NetworkRetransmit, s.Key.Retransmit()
	local, remote := by.LocalEnd(), by.RemoteEnd()
	g.Source = append(g.Source, f.draft.Address(local.Addr()))
	g.SourcePort = append(g.SourcePort, uint32(local.Port()))
	g.Destination = append(g.Destination, f.draft.Address(remote.Addr()))
	g.DestinationPort = append(g.DestinationPort, uint32(remote.Port()))
	g.Cause = append(g.Cause, causes[bpf.RetransmitCause(by.Cause)])
	g.State = append(g.State, weirv1.TcpState(by.State))
	g.Failed = append(g.Failed, by.Failed != 0)
	g.NetworkNamespace = append(g.NetworkNamespace, by.NetworkNamespace)
	g.Ipv4Mapped = append(g.Ipv4Mapped, by.Ipv4Mapped != 0)
	g.Socket = append(g.Socket, by.Socket)
	g.Count = append(g.Count, s.Count.Count)
	g.FirstUs = append(g.FirstUs, int64(bootTime(s.Count.FirstNs)))
}

var causes = map[bpf.RetransmitCause]weirv1.RetransmitCause{
	bpf.RetransmitTimeout:   weirv1.RetransmitCause_RETRANSMIT_CAUSE_TIMEOUT,
	bpf.RetransmitFast:      weirv1.RetransmitCause_RETRANSMIT_CAUSE_FAST,
	bpf.RetransmitLossProbe: weirv1.RetransmitCause_RETRANSMIT_CAUSE_LOSS_PROBE,
	bpf.RetransmitSyn:       weirv1.RetransmitCause_RETRANSMIT_CAUSE_SYN,
}
