package trace

import (
	"fmt"

	"github.com/weirproject/weir/internal/cli"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

var (
	pidColumn  = column{cli.Column{Title: "PID", Width: 7, Right: true}, row.pid}
	commColumn = column{cli.Column{Title: "COMM", Width: 16}, row.comm}
)

func networkTraces() []trace {
	return []trace{connectTrace(), listenTrace(), closeTrace()}
}

const addressWidth, portWidth = 24, 5

func connectTrace() trace {
	group := func(r row) *weirv1.NetworkConnect { return r.Proto().NetworkConnect }
	return trace{
		name: "connect", like: "tcpconnect and tcpconnlat", short: "TCP connections that are opened, or fail to be", kind: schema.NetworkConnect,
		columns: []column{
			pidColumn, commColumn,
			{cli.Column{Title: "IP", Width: 2}, func(r row) string { return r.version(schema.At(group(r).Destination, r.GroupRow)) }},
			{cli.Column{Title: "SADDR", Width: addressWidth}, func(r row) string { return r.address(schema.At(group(r).Source, r.GroupRow)) }},
			{cli.Column{Title: "LPORT", Width: portWidth, Right: true}, func(r row) string { return fmt.Sprint(schema.At(group(r).SourcePort, r.GroupRow)) }},
			{cli.Column{Title: "DADDR", Width: addressWidth}, func(r row) string { return r.address(schema.At(group(r).Destination, r.GroupRow)) }},
			{cli.Column{Title: "DPORT", Width: portWidth, Right: true}, func(r row) string { return fmt.Sprint(schema.At(group(r).DestinationPort, r.GroupRow)) }},
			{cli.Column{Title: "LAT(ms)", Width: 8, Right: true}, func(r row) string { return milliseconds(schema.At(group(r).LatencyUs, r.GroupRow)) }},
			{cli.Column{Title: "RET", Width: 12}, row.connectResult},
		},
		failed: func(r row) bool { return r.connectResult() != "0" && r.connectResult() != pending },
		ports:  func(r row) []uint32 { return []uint32{schema.At(group(r).DestinationPort, r.GroupRow)} },
	}
}

// The words that stand for a result where there is no errno.
const (
	pending   = "pending"   // there is no answer yet: network.close will tell
	abandoned = "abandoned" // the process gave up
	unknown   = "?"         // it failed, and the rung knows no more
)

// connectResult is 0, the errno's name, or one of these words.
func (r row) connectResult() string {
	g, i := r.Proto().NetworkConnect, r.GroupRow
	switch {
	case schema.At(g.Pending, i):
		return pending
	case schema.At(g.Abandoned, i):
		return abandoned
	case schema.At(g.FailedUnknown, i):
		return unknown
	}
	return errno(schema.At(g.Errno, i))
}

func listenTrace() trace {
	group := func(r row) *weirv1.NetworkListen { return r.Proto().NetworkListen }
	return trace{
		name: "listen", like: "solisten", short: "TCP sockets that begin to listen", kind: schema.NetworkListen,
		columns: []column{
			pidColumn, commColumn,
			{cli.Column{Title: "IP", Width: 2}, func(r row) string { return r.version(schema.At(group(r).Address, r.GroupRow)) }},
			{cli.Column{Title: "BACKLOG", Width: 7, Right: true}, func(r row) string { return fmt.Sprint(schema.At(group(r).Backlog, r.GroupRow)) }},
			{cli.Column{Title: "PORT", Width: portWidth, Right: true}, func(r row) string { return fmt.Sprint(schema.At(group(r).Port, r.GroupRow)) }},
			{cli.Column{Title: "ADDR", Width: addressWidth}, func(r row) string { return r.address(schema.At(group(r).Address, r.GroupRow)) }},
		},
		ports: func(r row) []uint32 { return []uint32{schema.At(group(r).Port, r.GroupRow)} },
	}
}

func closeTrace() trace {
	group := func(r row) *weirv1.NetworkClose { return r.Proto().NetworkClose }
	return trace{
		name: "close", like: "tcplife", short: "TCP connections that end: how long, how much", kind: schema.NetworkClose,
		columns: []column{
			pidColumn, commColumn,
			{cli.Column{Title: "LADDR", Width: addressWidth}, func(r row) string { return r.local().address }},
			{cli.Column{Title: "LPORT", Width: portWidth, Right: true}, func(r row) string { return fmt.Sprint(r.local().port) }},
			{cli.Column{Title: "RADDR", Width: addressWidth}, func(r row) string { return r.remote().address }},
			{cli.Column{Title: "RPORT", Width: portWidth, Right: true}, func(r row) string { return fmt.Sprint(r.remote().port) }},
			{cli.Column{Title: "TX_KB", Width: 8, Right: true}, func(r row) string { return kilobytes(schema.At(group(r).SentBytes, r.GroupRow)) }},
			{cli.Column{Title: "RX_KB", Width: 8, Right: true}, func(r row) string { return kilobytes(schema.At(group(r).ReceivedBytes, r.GroupRow)) }},
			{cli.Column{Title: "MS", Width: 10, Right: true}, func(r row) string { return milliseconds(schema.At(group(r).DurationUs, r.GroupRow)) }},
			{cli.Column{Title: "RESET", Width: 5}, func(r row) string { return closeError(schema.At(group(r).Errno, r.GroupRow)) }},
		},
		failed: func(r row) bool { return schema.At(group(r).Errno, r.GroupRow) != 0 },
		ports:  func(r row) []uint32 { return []uint32{r.local().port, r.remote().port} },
	}
}

func closeError(n uint32) string {
	if n == 0 {
		return ""
	}
	return errno(n)
}

type end struct {
	address string
	port    uint32
}

// local is this host's end: the source, unless the other one opened the connection.
func (r row) local() end {
	source, destination := r.ends()
	if r.isInbound() {
		return destination
	}
	return source
}

func (r row) remote() end {
	source, destination := r.ends()
	if r.isInbound() {
		return source
	}
	return destination
}

func (r row) ends() (source, destination end) {
	g, i := r.Proto().NetworkClose, r.GroupRow
	return end{r.address(schema.At(g.Source, i)), schema.At(g.SourcePort, i)},
		end{r.address(schema.At(g.Destination, i)), schema.At(g.DestinationPort, i)}
}

func (r row) isInbound() bool {
	return schema.At(r.Proto().NetworkClose.Direction, r.GroupRow) == weirv1.Direction_DIRECTION_INBOUND
}
