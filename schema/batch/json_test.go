package batch_test

import (
	"net/netip"
	"strings"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// document is an event as ECS JSON, by encoding/json: what the batch is measured against. It tells what the batch
// tells, so that like is compared with like.
type document struct {
	Timestamp time.Time `json:"@timestamp"`
	Event     struct {
		ID       string   `json:"id"`
		Kind     string   `json:"kind"`
		Category []string `json:"category"`
		Type     []string `json:"type"`
		Action   string   `json:"action"`
		Sequence int64    `json:"sequence,omitempty"`
		Duration uint64   `json:"duration,omitempty"`
	} `json:"event"`
	Host struct {
		ID       string `json:"id"`
		Hostname string `json:"hostname"`
	} `json:"host"`
	User struct {
		ID   uint32 `json:"id"`
		Name string `json:"name"`
	} `json:"user"`
	Process     *processDocument `json:"process,omitempty"`
	Source      *endpoint        `json:"source,omitempty"`
	Destination *endpoint        `json:"destination,omitempty"`
	Weir        struct {
		CPU    uint32 `json:"cpu"`
		Rung   string `json:"rung"`
		Cgroup struct {
			ID   uint64 `json:"id"`
			Path string `json:"path"`
		} `json:"cgroup"`
		Exec    *execDocument    `json:"exec,omitempty"`
		Network *networkDocument `json:"network,omitempty"`
	} `json:"weir"`
}

type processDocument struct {
	PID              int32            `json:"pid"`
	Start            time.Time        `json:"start"`
	ExecCount        uint32           `json:"exec_count"`
	Executable       string           `json:"executable,omitempty"`
	Name             string           `json:"name,omitempty"`
	Args             []string         `json:"args,omitempty"`
	ArgsCount        uint32           `json:"args_count,omitempty"`
	CommandLine      string           `json:"command_line,omitempty"`
	WorkingDirectory string           `json:"working_directory,omitempty"`
	ExitCode         *uint32          `json:"exit_code,omitempty"`
	Parent           *processDocument `json:"parent,omitempty"`
	Thread           struct {
		Name string `json:"name,omitempty"`
	} `json:"thread"`
	TTY           uint32 `json:"tty,omitempty"`
	SessionLeader uint32 `json:"session_leader,omitempty"`
	LoginUID      uint32 `json:"login_uid,omitempty"`
	AuditSession  uint32 `json:"audit_session,omitempty"`
}

type execDocument struct {
	Filename string `json:"filename"`
	Device   uint32 `json:"device"`
	Inode    uint64 `json:"inode"`
	Mode     uint32 `json:"mode"`
}

type networkDocument struct {
	Namespace        uint32 `json:"namespace,omitempty"`
	Socket           uint64 `json:"socket,omitempty"`
	Backlog          uint32 `json:"backlog,omitempty"`
	SentBytes        uint64 `json:"sent_bytes,omitempty"`
	ReceivedBytes    uint64 `json:"received_bytes,omitempty"`
	SentSegments     uint32 `json:"sent_segments,omitempty"`
	ReceivedSegments uint32 `json:"received_segments,omitempty"`
}

type endpoint struct {
	IP   netip.Addr `json:"ip"`
	Port uint32     `json:"port"`
}

func newDocument(b *batch.Batch, row batch.Row) *document {
	c, i := b.Proto().GetCommon(), row.Index
	d := &document{Timestamp: b.Time(i)}
	d.Event.ID = b.EventID(i).String()
	d.Event.Kind, d.Event.Action = "event", row.Kind.Options.GetAction()
	d.Event.Category, d.Event.Type = row.Kind.Options.GetCategory(), row.Kind.Options.GetType()
	d.Event.Sequence = schema.At(c.GetSequence(), i)
	d.Host.ID, d.Host.Hostname = b.Host().String(), b.Header().GetHostname()
	d.Weir.CPU, d.Weir.Rung = schema.At(c.GetCpu(), i), rungOf(b, schema.At(c.GetRung(), i))
	if n := schema.At(c.GetCredentials(), i); n != 0 {
		credentials := credentialsOf(b, n)
		d.User.ID, d.User.Name = credentials.EUID, credentials.UserName
	}
	if n := schema.At(c.GetCgroup(), i); n != 0 {
		cgroup := cgroupOf(b, n)
		d.Weir.Cgroup.ID, d.Weir.Cgroup.Path = cgroup.V2, cgroup.Path
	}
	if n := uint32(schema.At(c.GetProcess(), i)); n != 0 {
		d.Process = newProcessDocument(b, n)
		d.Process.Parent = newProcessDocument(b, uint32(schema.At(b.Proto().GetProcesses().GetParent(), int(n-1))))
	}
	d.addColumns(b, row)
	return d
}

func newProcessDocument(b *batch.Batch, index uint32) *processDocument {
	if index == 0 {
		return nil
	}
	p, i := b.Proto().GetProcesses(), int(index-1)
	k := keyOf(b, index)
	executable := string(b.Text(schema.At(p.GetExecutable(), i)))
	d := &processDocument{
		PID: int32(k.TGID), Start: b.TimeOf(k.Start), ExecCount: k.Exec,
		Executable: executable, Name: executable[strings.LastIndexByte(executable, '/')+1:],
		TTY: schema.At(p.GetTty(), i), SessionLeader: schema.At(p.GetSession(), i),
		LoginUID: schema.At(p.GetLoginUid(), i), AuditSession: schema.At(p.GetAuditSession(), i),
	}
	d.Thread.Name = string(b.Text(schema.At(p.GetComm(), i)))
	d.setArguments(b.Text(uint32(schema.At(p.GetArguments(), i))))
	return d
}

func (d *processDocument) setArguments(arguments []byte) {
	text := strings.TrimSuffix(string(arguments), "\x00")
	d.Args, d.CommandLine = strings.Split(text, "\x00"), strings.ReplaceAll(text, "\x00", " ")
	d.ArgsCount = uint32(len(d.Args))
}

// lifetime returns the µs from the actor's start to the event.
func lifetime(b *batch.Batch, row int) uint64 {
	actor := schema.At(b.Proto().GetCommon().GetProcess(), row)
	if actor == 0 {
		return 0
	}
	return uint64(b.BootTime(row)) - uint64(b.Proto().GetProcesses().GetStartUs()[actor-1])
}

func (d *document) addColumns(b *batch.Batch, row batch.Row) {
	if d.Process == nil {
		d.Process = &processDocument{}
	}
	i := row.GroupRow
	switch p := b.Proto(); row.Kind {
	case schema.ProcessExec:
		d.addExec(b, p.GetProcessExec(), i)
	case schema.ProcessExit:
		d.Process.ExitCode = new(schema.At(p.GetProcessExit().GetExitCode(), i))
		d.Event.Duration = lifetime(b, row.Index) * 1000
	case schema.NetworkConnect:
		e := p.GetNetworkConnect()
		d.Source = newEndpoint(b, e.GetSource(), e.GetSourcePort(), i)
		d.Destination = newEndpoint(b, e.GetDestination(), e.GetDestinationPort(), i)
		d.Event.Duration = schema.At(e.GetLatencyUs(), i) * 1000
		d.Weir.Network = &networkDocument{Namespace: schema.At(e.GetNetworkNamespace(), i), Socket: schema.At(e.GetSocket(), i)}
	case schema.NetworkListen:
		e := p.GetNetworkListen()
		d.Source = newEndpoint(b, e.GetAddress(), e.GetPort(), i)
		d.Weir.Network = &networkDocument{Namespace: schema.At(e.GetNetworkNamespace(), i), Backlog: schema.At(e.GetBacklog(), i)}
	case schema.NetworkClose:
		d.addClose(b, p.GetNetworkClose(), i)
	}
}

func (d *document) addExec(b *batch.Batch, e *weirv1.ProcessExec, i int) {
	d.Process.setArguments(b.Text(schema.At(e.GetArguments(), i)))
	d.Process.WorkingDirectory = string(b.Text(schema.At(e.GetWorkingDirectory(), i)))
	d.Weir.Exec = &execDocument{
		Filename: string(b.Text(schema.At(e.GetFilename(), i))), Device: schema.At(e.GetDevice(), i),
		Inode: schema.At(e.GetInode(), i), Mode: schema.At(e.GetMode(), i),
	}
}

func (d *document) addClose(b *batch.Batch, e *weirv1.NetworkClose, i int) {
	d.Source = newEndpoint(b, e.GetSource(), e.GetSourcePort(), i)
	d.Destination = newEndpoint(b, e.GetDestination(), e.GetDestinationPort(), i)
	d.Event.Duration = schema.At(e.GetDurationUs(), i) * 1000
	d.Weir.Network = &networkDocument{
		Namespace: schema.At(e.GetNetworkNamespace(), i), Socket: schema.At(e.GetSocket(), i),
		SentBytes: schema.At(e.GetSentBytes(), i), ReceivedBytes: schema.At(e.GetReceivedBytes(), i),
		SentSegments: schema.At(e.GetSentSegments(), i), ReceivedSegments: schema.At(e.GetReceivedSegments(), i),
	}
}

func newEndpoint(b *batch.Batch, addresses, ports []uint32, i int) *endpoint {
	return &endpoint{b.Address(schema.At(addresses, i)), schema.At(ports, i)}
}
