package bpf

import (
	"bytes"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func ladders(t *testing.T) Ladders {
	t.Helper()
	l, err := ReadLadders(mustSpec())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLaddersAreWhatTheProgramsSay(t *testing.T) {
	got := make(map[string][]string)
	for kind, ladder := range ladders(t) {
		for _, rung := range ladder {
			got[kind.String()] = append(got[kind.String()], rung.String())
		}
	}
	native, compat := "__x64_sys_", "__ia32_compat_sys_"
	if runtime.GOARCH == "arm64" {
		native, compat = "__arm64_sys_", "__arm64_compat_sys_"
	}
	want := map[string][]string{
		"process.fork": {"tp_btf/task_newtask", "raw_tp/task_newtask"},
		"process.exec": {"tp_btf/sched_process_exec", "raw_tp/sched_process_exec"},
		"process.exit": {"tp_btf/sched_process_exit", "tp_btf/sched_process_exit", "raw_tp/sched_process_exit"},
		"network.connect": {
			"fexit/tcp_v4_connect+fexit/tcp_v6_connect+sockops+tp_btf/inet_sock_set_state+fexit/tcp_v4_pre_connect+fexit/tcp_v6_pre_connect",
			"fexit/tcp_v4_connect+fexit/tcp_v6_connect+tp_btf/inet_sock_set_state+fexit/tcp_v4_pre_connect+fexit/tcp_v6_pre_connect",
			"sockops+tp_btf/inet_sock_set_state+cgroup/connect4+cgroup/connect6+cgroup/sock_release",
			"tp_btf/inet_sock_set_state",
			"raw_tp/inet_sock_set_state",
		},
		"network.listen":   {"sockops", "tp_btf/inet_sock_set_state", "raw_tp/inet_sock_set_state"},
		"capability.check": {"fexit/cap_capable", "tp_btf/cap_capable"},
		"network.close":    {"tp_btf/inet_sock_set_state", "raw_tp/inet_sock_set_state"},
		"process.exec_failed": {
			"fexit/" + native + "execve+fexit/" + native + "execveat+fexit/" + compat + "execve+fexit/" + compat + "execveat",
			"fexit/" + native + "execve+fexit/" + native + "execveat",
			"tracepoint/syscalls/sys_exit_execve+tracepoint/syscalls/sys_exit_execveat",
		},
		"network.accept": {
			"tp_btf/inet_sock_set_state+fexit/inet_csk_accept",
			"tp_btf/inet_sock_set_state+fexit/inet_csk_accept",
			"tp_btf/inet_sock_set_state+cgroup/getpeername4+cgroup/getpeername6",
			"raw_tp/inet_sock_set_state+cgroup/getpeername4+cgroup/getpeername6",
		},
		"network.retransmit": {"tp_btf/tcp_retransmit_skb", "tp_btf/tcp_retransmit_skb"},
		"socket.create":      {"fexit/security_socket_create", "cgroup/sock_create"},
		"block.io":           {"tp_btf/block_rq_complete"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryKindHasALadderWithoutAMissingRung(t *testing.T) {
	all := ladders(t)
	for _, kind := range Kinds() {
		if len(all[kind]) == 0 {
			t.Errorf("%s: no program gives it", kind)
		}
		for i, rung := range all[kind] {
			if rung.Order != i+1 {
				t.Errorf("%s: rung %d is missing", kind, i+1)
			}
		}
	}
}

func TestEveryProgramHasAPlace(t *testing.T) {
	placed := map[string]bool{ProgramSeed: true, ProgramSeedSockets: true}
	for _, ladder := range ladders(t) {
		for _, rung := range ladder {
			for _, p := range rung.Programs {
				placed[p.Name] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(mustSpec().Programs))
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(placed))); diff != "" {
		t.Error("programs of the object and of the ladders:\n", diff)
	}
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(enumerators().programs))); diff != "" {
		t.Error("programs of the object and of enum program:\n", diff)
	}
	for _, name := range names {
		domain, hook, ok := strings.Cut(name, "__")
		if !ok || domain == "" || hook == "" {
			t.Errorf("%s is not <domain>__<hook>", name)
		}
	}
}

func TestAnIncompleteRungSaysWhatItLacksAndMisses(t *testing.T) {
	connect := ladders(t)[KindNetworkConnect]
	if gaps := connect[0].Gaps(); gaps != "" {
		t.Errorf("the best rung %s", gaps)
	}
	worst := connect[len(connect)-1]
	for _, gap := range []string{"errno where no SYN left", "connect without a route"} {
		if !worst.Admits(gap) || connect[0].Admits(gap) {
			t.Errorf("%q: rung 1 has %q, rung %d %q", gap, connect[0].Gaps(), worst.Order, worst.Gaps())
		}
	}
}

func TestARungsProgramsSayTogetherWhatItLacks(t *testing.T) {
	l := Ladders{}
	for i, tags := range [][]string{{"gives:process.exec:1:a; b", "misses:process.exec:1:c, d"}, {"misses:process.exec:1:e", "gives:process.exec:1:b"}} {
		p := taggedProgram{Program: Program{Index: uint16(i)}}
		for _, tag := range tags {
			if err := p.read(tag); err != nil {
				t.Fatal(err)
			}
		}
		for _, own := range p.parts {
			l.add(own, p.Program)
		}
	}
	if got, want := l[KindProcessExec][0].Gaps(), "lacks a; b; misses c, d; e"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whoever is in no event would pay for it.
func TestARungThatTaxesEverySystemCallNamesItsPrice(t *testing.T) {
	for kind, ladder := range ladders(t) {
		for _, rung := range ladder {
			taxes := strings.Contains(rung.String(), "syscalls/sys_") || strings.Contains(rung.String(), "sys_enter") || strings.Contains(rung.String(), "sys_exit")
			if taxes != (rung.Price != "") {
				t.Errorf("%s by %s: its price is %q", kind, rung, rung.Price)
			}
		}
	}
}

func TestTagsThatSayNothingAreRefused(t *testing.T) {
	for _, tag := range []string{"", "gives", "gives:process.exec", "gives:process.dance:1:", "gives:process.exec:one:", "takes:hook:", "needs:hook:1", "misses:process.dance:1:way", "costs:"} {
		var p taggedProgram
		if err := p.read(tag); err == nil {
			t.Errorf("%q was read as %+v", tag, p)
		}
	}
}

// kernel returns types that have a tracepoint and a function of so many arguments.
func kernel(t *testing.T, arguments int) *btf.Spec {
	t.Helper()
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	params := make([]btf.FuncParam, arguments)
	for i := range params {
		params[i] = btf.FuncParam{Name: "p", Type: number}
	}
	traced := append([]btf.FuncParam{{Name: "__data", Type: &btf.Pointer{Target: (*btf.Void)(nil)}}}, params...)
	b, err := btf.NewBuilder([]btf.Type{
		&btf.Typedef{Name: "btf_trace_hook", Type: &btf.Pointer{Target: &btf.FuncProto{Return: (*btf.Void)(nil), Params: traced}}},
		&btf.Func{Name: "hook", Type: &btf.FuncProto{Return: number, Params: params}, Linkage: btf.StaticFunc},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestCheckWantsTheSignatureThatTheProgramIsFor(t *testing.T) {
	types := kernel(t, 2)
	for _, section := range []string{"tp_btf/hook", "fexit/hook"} {
		for arguments, found := range map[int]int{2: 2, 1: 2, 3: 2} {
			err := Program{Hook: section, Takes: &Signature{"hook", arguments}}.Check(types)
			e, refused := errors.AsType[*SignatureError](err)
			if refused != (arguments != found) || refused && e.Found != found {
				t.Errorf("%s with %d arguments: %v", section, arguments, err)
			}
		}
		err := Program{Hook: section, Takes: &Signature{"absent", 1}}.Check(types)
		if e, ok := errors.AsType[*SignatureError](err); !ok || e.Found != -1 {
			t.Errorf("%s: a hook that is absent: %v", section, err)
		}
	}
	if err := (Program{Hook: "sockops"}).Check(types); err != nil {
		t.Errorf("nothing to check: %v", err)
	}
}

func TestGivenHoldsABitAKind(t *testing.T) {
	var g Given
	for _, rung := range ladders(t)[KindNetworkConnect][:1] {
		g.Add(rung)
	}
	n := 0
	for _, bits := range g {
		if bits == 1<<KindNetworkConnect {
			n++
		} else if bits != 0 {
			t.Errorf("bits %b", bits)
		}
	}
	if n != 6 {
		t.Errorf("%d programs give network.connect, want 6", n)
	}
}
