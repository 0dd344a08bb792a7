package ecs_test

import (
	"bytes"
	"crypto/ed25519"
	"net/netip"
	"testing"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// boot is when the sample's machine started.
var boot = time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)

// sample is a draft with what all sample events share.
type sample struct {
	*batch.Draft
	groups                    *weirv1.Batch
	shell, curl               uint32
	credentials, cgroup, rung uint32
	sequence                  uint64
}

func newSample() *sample {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	host := schema.NewHostID(key.Public().(ed25519.PublicKey))
	header := &weirv1.Header{
		HostId:       host[:],
		BootId:       []byte("boot-boot-boot-b"),
		AttachmentId: []byte("attachment-attac"),
		MachineId:    "6f1c3f0e5d2b4c8a9e7d6c5b4a392817",
		InstanceId:   "i-0abc12345678",
		Hostname:     "web-1",
		Addresses:    [][]byte{{10, 0, 0, 7}, netip.MustParseAddr("2001:db8::7").AsSlice()},
		Architecture: "x86_64",
		Kernel:       "6.12.9-amd64",
		OsId:         "debian",
		OsVersion:    "13",
		OsName:       "Debian GNU/Linux 13 (trixie)",
		WeirVersion:  "0.1.0",
	}
	s := &sample{Draft: batch.NewDraft(header, batch.DefaultLimits())}
	s.groups = s.Columns()
	s.shell = s.AddProcess(batch.ProcessEntry{
		Key:           schema.ProcessKey{TGID: 1200, Start: 60_000_000, Exec: 3},
		Executable:    []byte("/usr/bin/bash"),
		Arguments:     []byte("-bash\x00"),
		Comm:          []byte("bash"),
		Knowledge:     weirv1.Knowledge_KNOWLEDGE_ITERATOR,
		SessionLeader: 1200,
	})
	s.curl = s.AddProcess(batch.ProcessEntry{
		Key:           schema.ProcessKey{TGID: 1234, Start: 90_000_000, Exec: 4},
		Parent:        s.shell,
		Creator:       s.shell,
		Executable:    []byte("/usr/bin/curl"),
		ExecutableCut: true,
		Arguments:     []byte("curl\x00--header\x00X: \"1\"\n\x00"),
		ArgumentsCut:  true,
		Comm:          []byte("curl"),
		NamespaceTGID: 7, PIDNamespace: 4026532001, MountNamespace: 4026532002,
		NetworkNamespace: 4026532003, UserNamespace: 4026532004,
		LoginUIDPlus1: 1001, AuditPlus1: 4, TTY: 136<<20 | 300, SessionLeader: 1200,
		SHA256: bytes.Repeat([]byte{0xab}, 32), HashState: weirv1.HashState_HASH_STATE_UNSETTLED,
		Redacted: "login,url", LoginName: "ada",
	})
	s.credentials = s.Credentials(batch.Credentials{
		CredentialIDs: batch.CredentialIDs{UID: 1000, GID: 1000, EUID: 0, EGID: 0, Effective: 1<<21 | 1<<12 | 1<<50},
		UserName:      "root", GroupName: "root", RealUserName: "ada", RealGroupName: "staff",
	})
	s.cgroup = s.Cgroup(batch.Cgroup{
		CgroupIDs: batch.CgroupIDs{V2: 1<<60 + 1, V1: 5},
		Version:   2, PathCut: true,
		Path:        "/docker/7a2f/kubepods.slice/kubepods-pod0c5d.slice/cri-containerd-4d1e.scope",
		ContainerID: "4d1e", ContainerRuntime: "containerd", OuterContainerID: "7a2f", ContainerOwner: 1000,
		Orchestrator: "kubernetes", Workload: "0c5d",
	})
	s.rung = s.Rung("tp_btf/sched_process_exec")
	return s
}

// event appends what all kinds have; the caller then appends to the kind's group.
func (s *sample) event(k *schema.Kind) {
	s.sequence++
	s.Append(batch.Event{
		Kind: k, Time: schema.BootTime(100_000_000 + s.sequence*1001), CPU: 1, Sequence: s.sequence,
		Process: s.curl, Thread: 2, Credentials: s.credentials, Cgroup: s.cgroup, Rung: s.rung, SelfTest: true,
	})
}

// own appends an event that weir makes of itself.
func (s *sample) own(k *schema.Kind) {
	s.Append(batch.Event{Kind: k, Time: 200_000_000})
}

func (s *sample) text(t string) uint32 { return s.Text([]byte(t)) }

func (s *sample) address(a string) uint32 { return s.Address(netip.MustParseAddr(a)) }

// read seals the draft and reads it back.
func (s *sample) read(t testing.TB) *batch.Batch {
	t.Helper()
	chain := batch.NewChain(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), schema.RunID([]byte("run-run-run-run-")))
	sealed, err := s.Seal(chain, batch.Times{Boot: boot, Sealed: boot.Add(5 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.Read(sealed.Record, batch.DefaultReadLimits())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// known is what the enricher knows of a batch of so many rows.
func known(rows int) *weirv1.Enrichment {
	return &weirv1.Enrichment{
		Joined:       weirv1.Joined_JOINED_COMPLETE,
		ReceivedAtUs: boot.Add(5*time.Minute + time.Second).UnixMicro(),
		Spans:        []*weirv1.Span{{Rows: uint32(rows), Instance: 1, Deploy: 1}},
		Instances: []*weirv1.Instance{{
			Id: "i-0abc12345678", Account: "123456789012", Provider: "aws", Region: "eu-central-1",
			Zone: "eu-central-1a", Type: "m7g.large", Image: "ami-0123", LaunchTimeUs: boot.UnixMicro(),
			Group: "web", Cluster: "prod", Node: "node-7",
			Tags: map[string]string{"team": "edge", "cost.center": "42", "cost_center": "second"},
		}},
		Deploys: []*weirv1.Deploy{{
			Id: "d-17", App: "shop", Stack: "production", Cluster: "shop-prod", Version: "2.4.1",
			ImageDigest: "sha256:ab12", Commit: "0123abc", Build: "991", Pipeline: "main", Who: "ada",
		}},
	}
}

// samples appends one event of a kind with a value in each column.
var samples = map[*schema.Kind]func(s *sample){
	schema.ProcessExec: func(s *sample) {
		s.event(schema.ProcessExec)
		g := s.groups.ProcessExec
		g.Arguments = append(g.Arguments, s.text("curl\x00--header\x00X: \"1\"\n\x00\x00https://example.org/\xff\x00"))
		g.ArgumentCount = append(g.ArgumentCount, 5)
		g.ArgumentsBytes = append(g.ArgumentsBytes, 46)
		g.Filename = append(g.Filename, s.text("/usr/local/bin/fetch"))
		g.Interpreter = append(g.Interpreter, s.text("/usr/bin/curl"))
		g.WorkingDirectory = append(g.WorkingDirectory, s.text("/home/ada/\xe9t\xc3\xa9"))
		g.Device = append(g.Device, 259<<20|1)
		g.Inode = append(g.Inode, 1<<63+5)
		g.Mode = append(g.Mode, 0o104755)
		g.Deleted = append(g.Deleted, true)
		g.Memfd = append(g.Memfd, true)
		g.Secure = append(g.Secure, true)
		g.ArgumentsCut = append(g.ArgumentsCut, true)
		g.WorkingDirectoryCut = append(g.WorkingDirectoryCut, true)
		g.Environment = append(g.Environment, s.text("LD_PRELOAD=/tmp/x.so\x00LD_AUDIT=\x00"))
		g.EnvironmentCut = append(g.EnvironmentCut, true)
		g.EnvironmentRedacted = append(g.EnvironmentRedacted, s.text("name"))
		g.FilePermitted = append(g.FilePermitted, 1<<13)
		g.FileInheritable = append(g.FileInheritable, 1<<39)
		g.FileEffective = append(g.FileEffective, true)
		g.FileRootUid = append(g.FileRootUid, 100_000)
	},
	schema.ProcessExit: func(s *sample) {
		s.event(schema.ProcessExit)
		g := s.groups.ProcessExit
		g.ExitCode = append(g.ExitCode, 0)
		g.Signal = append(g.Signal, 9)
		g.CoreDumped = append(g.CoreDumped, true)
		g.UserUs = append(g.UserUs, 1_250_000)
		g.SystemUs = append(g.SystemUs, 40_017)
		g.PeakMemoryBytes = append(g.PeakMemoryBytes, 24<<20)
	},
	schema.ProcessFork: func(s *sample) {
		s.event(schema.ProcessFork)
		child := s.AddProcess(batch.ProcessEntry{
			Key:        schema.ProcessKey{TGID: 1240, Start: 100_000_500, Exec: 4},
			Parent:     s.curl,
			Executable: []byte("/usr/bin/curl"),
		})
		g := s.groups.ProcessFork
		g.Child = append(g.Child, int32(child))
		g.Flags = append(g.Flags, 0x1200011)
	},
	schema.ProcessExecFailed: func(s *sample) {
		s.event(schema.ProcessExecFailed)
		g := s.groups.ProcessExecFailed
		g.Errno = append(g.Errno, 13)
		g.Filename = append(g.Filename, s.text("/dev/fd/3/../fetch\xff"))
		g.Arguments = append(g.Arguments, s.text("fetch\x00\x00-q\x00"))
		g.ArgumentCount = append(g.ArgumentCount, 3)
		g.ArgumentsCut = append(g.ArgumentsCut, true)
		g.Redacted = append(g.Redacted, s.text("name"))
		g.WorkingDirectory = append(g.WorkingDirectory, s.text("/srv"))
		g.WorkingDirectoryCut = append(g.WorkingDirectoryCut, true)
	},
	schema.NetworkConnect: func(s *sample) {
		s.event(schema.NetworkConnect)
		g := s.groups.NetworkConnect
		g.Source = append(g.Source, s.address("10.0.0.7"))
		g.SourcePort = append(g.SourcePort, 40222)
		g.Destination = append(g.Destination, s.address("192.0.2.9"))
		g.DestinationPort = append(g.DestinationPort, 443)
		g.Errno = append(g.Errno, 111)
		g.FailedUnknown = append(g.FailedUnknown, true)
		g.LatencyUs = append(g.LatencyUs, 1250)
		g.NetworkNamespace = append(g.NetworkNamespace, 4026532003)
		g.Ipv4Mapped = append(g.Ipv4Mapped, true)
		g.Socket = append(g.Socket, 1<<63+7)
		g.Pending = append(g.Pending, true)
		g.Abandoned = append(g.Abandoned, true)
		g.ActorNamespace = append(g.ActorNamespace, 4026532007)
		g.Interface = append(g.Interface, 3)
	},
	schema.NetworkListen: func(s *sample) {
		s.event(schema.NetworkListen)
		g := s.groups.NetworkListen
		g.Address = append(g.Address, s.address("::"))
		g.Port = append(g.Port, 8080)
		g.Backlog = append(g.Backlog, 4096)
		g.NetworkNamespace = append(g.NetworkNamespace, 4026532003)
		g.DualStack = append(g.DualStack, true)
		g.ActorNamespace = append(g.ActorNamespace, 4026532004)
	},
	schema.NetworkClose: func(s *sample) {
		s.event(schema.NetworkClose)
		g := s.groups.NetworkClose
		g.Source = append(g.Source, s.address("2001:db8::7"))
		g.SourcePort = append(g.SourcePort, 40222)
		g.Destination = append(g.Destination, s.address("2001:db8::7"))
		g.DestinationPort = append(g.DestinationPort, 443)
		g.Direction = append(g.Direction, weirv1.Direction_DIRECTION_OUTBOUND)
		g.DurationUs = append(g.DurationUs, 2_000_000)
		g.SentBytes = append(g.SentBytes, 517)
		g.ReceivedBytes = append(g.ReceivedBytes, 0)
		g.SentSegments = append(g.SentSegments, 9)
		g.ReceivedSegments = append(g.ReceivedSegments, 8)
		g.Errno = append(g.Errno, 104)
		g.NetworkNamespace = append(g.NetworkNamespace, 4026532003)
		g.Ipv4Mapped = append(g.Ipv4Mapped, true)
		g.Socket = append(g.Socket, 77)
		g.ActorIsCloser = append(g.ActorIsCloser, true)
		g.NotEstablished = append(g.NotEstablished, true)
		g.Closer = append(g.Closer, s.shell)
		g.FirstCloser = append(g.FirstCloser, weirv1.FirstCloser_FIRST_CLOSER_REMOTE)
		g.ResetBy = append(g.ResetBy, weirv1.ResetBy_RESET_BY_REMOTE)
		g.NeverAccepted = append(g.NeverAccepted, true)
		g.ActorNamespace = append(g.ActorNamespace, 4026532004)
	},
	schema.NetworkAccept: func(s *sample) {
		s.event(schema.NetworkAccept)
		g := s.groups.NetworkAccept
		g.Source = append(g.Source, s.address("192.0.2.9"))
		g.SourcePort = append(g.SourcePort, 40222)
		g.Destination = append(g.Destination, s.address("10.0.0.7"))
		g.DestinationPort = append(g.DestinationPort, 443)
		g.LatencyUs = append(g.LatencyUs, 1+150)
		g.Waiting = append(g.Waiting, 1+0)
		g.Backlog = append(g.Backlog, 4096)
		g.ListenerPort = append(g.ListenerPort, 8443)
		g.NetworkNamespace = append(g.NetworkNamespace, 4026532003)
		g.ActorNamespace = append(g.ActorNamespace, 4026532004)
		g.Ipv4Mapped = append(g.Ipv4Mapped, true)
		g.Socket = append(g.Socket, 77)
		g.Late = append(g.Late, true)
	},
	schema.CapabilityCheck: func(s *sample) {
		s.event(schema.CapabilityCheck)
		g := s.groups.CapabilityCheck
		g.Capability = append(g.Capability, 21)
		g.Refused = append(g.Refused, true)
		g.Unaudited = append(g.Unaudited, true)
		g.Setid = append(g.Setid, true)
		g.OptionsUnknown = append(g.OptionsUnknown, true)
		g.UserNamespace = append(g.UserNamespace, 4026532100)
		g.Count = append(g.Count, 5460)
		g.FirstUs = append(g.FirstUs, 100_000_000)
	},
	schema.NetworkRetransmit: func(s *sample) {
		s.event(schema.NetworkRetransmit)
		g := s.groups.NetworkRetransmit
		g.Source = append(g.Source, s.address("10.0.0.7"))
		g.SourcePort = append(g.SourcePort, 40222)
		g.Destination = append(g.Destination, s.address("192.0.2.9"))
		g.DestinationPort = append(g.DestinationPort, 443)
		g.Cause = append(g.Cause, weirv1.RetransmitCause_RETRANSMIT_CAUSE_TIMEOUT)
		g.State = append(g.State, weirv1.TcpState_TCP_STATE_ESTABLISHED)
		g.Failed = append(g.Failed, true)
		g.NetworkNamespace = append(g.NetworkNamespace, 4026532003)
		g.Ipv4Mapped = append(g.Ipv4Mapped, true)
		g.Socket = append(g.Socket, 1<<63+7)
		g.Count = append(g.Count, 3)
		g.FirstUs = append(g.FirstUs, 100_000_000)
	},
	schema.SocketCreate: func(s *sample) {
		s.event(schema.SocketCreate)
		g := s.groups.SocketCreate
		g.Family = append(g.Family, weirv1.SocketFamily_SOCKET_FAMILY_PACKET)
		g.Type = append(g.Type, weirv1.SocketType_SOCKET_TYPE_RAW)
		g.Protocol = append(g.Protocol, 768)
		g.Errno = append(g.Errno, 1)
		g.Count = append(g.Count, 2)
		g.FirstUs = append(g.FirstUs, 100_000_000)
	},
	schema.BlockIo: func(s *sample) {
		s.event(schema.BlockIo)
		g := s.groups.BlockIo
		g.Device = append(g.Device, 259<<20|1)
		g.Operation = append(g.Operation, weirv1.BlockOperation_BLOCK_OPERATION_WRITE)
		g.Failed = append(g.Failed, true)
		g.Latency = append(g.Latency, s.text("\x01\x00\x00\x00\x00\x00\x00\x0a"))
		g.Size = append(g.Size, s.text("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0b"))
		g.Bytes = append(g.Bytes, 45_056)
		g.Count = append(g.Count, 11)
		g.FirstUs = append(g.FirstUs, 100_000_000)
	},
	schema.WeirStarted: func(s *sample) {
		s.own(schema.WeirStarted)
		g := s.groups.WeirStarted
		g.Coverage = append(g.Coverage, s.text("process.exec=tp_btf/sched_process_exec\x00network.close=none: no BTF\x00"))
		g.PreviousRun = append(g.PreviousRun, s.text("previous-run-pre"))
	},
	schema.WeirStopped: func(s *sample) {
		s.own(schema.WeirStopped)
		g := s.groups.WeirStopped
		g.Reason = append(g.Reason, s.text("interrupt"))
	},
	schema.WeirHeartbeat: func(s *sample) {
		s.own(schema.WeirHeartbeat)
		g := s.groups.WeirHeartbeat
		g.UptimeUs = append(g.UptimeUs, 60_000_000)
		g.Processes = append(g.Processes, 212)
		g.SpoolBatches = append(g.SpoolBatches, 3)
		g.SpoolBytes = append(g.SpoolBytes, 40_960)
		g.Coverage = append(g.Coverage, s.text("process.exec=tp_btf/sched_process_exec\x00"))
	},
	schema.WeirGap: func(s *sample) {
		s.own(schema.WeirGap)
		g := s.groups.WeirGap
		g.Host = append(g.Host, s.text("host-host-host-h"))
		g.Run = append(g.Run, s.text("other-run-other-"))
		g.Finding = append(g.Finding, weirv1.Finding_FINDING_GAP)
		g.First = append(g.First, 17)
		g.Last = append(g.Last, 19)
		g.Detail = append(g.Detail, s.text("batches 17 to 19 are missing"))
		g.Evidence = append(g.Evidence, s.text("weir.batches/0/4711"))
		g.BeginUs = append(g.BeginUs, boot.UnixMicro()-90_000_000)
		g.EndUs = append(g.EndUs, boot.UnixMicro())
	},
	schema.WeirLoss: func(s *sample) {
		s.own(schema.WeirLoss)
		g := s.groups.WeirLoss
		g.Host = append(g.Host, 0)
		g.Kind = append(g.Kind, schema.ProcessExec.Number)
		g.Events = append(g.Events, 12)
		g.Place = append(g.Place, s.text("ring"))
		g.Detail = append(g.Detail, s.text("the ring buffer was full"))
	},
}

// everyKind is a batch with one event of each kind, each with a value in every column.
func everyKind(t testing.TB) *batch.Batch {
	s := newSample()
	for k := range schema.Kinds() {
		fill, ok := samples[k]
		if !ok {
			t.Fatalf("kind %v has no sample: add one to samples", k)
		}
		fill(s)
	}
	return s.read(t)
}
