package batch_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// builder makes up what a host does that builds software: make starts compilers, which start their parts.
type builder struct {
	*rand.Rand
	d         *batch.Draft
	now       schema.BootTime
	tgid      schema.TGID
	sequences [2]uint64
	rows      int
}

// program is what a made-up process runs.
type program struct {
	path  string
	inode uint64
	args  []string
}

func makeUpTrace(t testing.TB, rows int) []*batch.Batch {
	t.Helper()
	b := &builder{
		Rand: rand.New(rand.NewPCG(4, 2)),
		d:    batch.NewDraft(header(), batch.Limits{}),
		now:  86_400_000_000,
		tgid: 21_000,
	}
	c := batch.NewChain(key, run)
	var batches []*batch.Batch
	for unit := 0; b.rows < rows; unit++ {
		b.compile(unit)
		if b.d.Rows() >= 1000 {
			batches = append(batches, mustRead(t, mustSeal(t, b.d, c).Record))
		}
	}
	return append(batches, mustRead(t, mustSeal(t, b.d, c).Record))
}

// compile is make's "cc -c", by way of a shell, and now and then a look at the network.
func (b *builder) compile(unit int) {
	dirs := []string{"net", "fs", "mm", "crypto", "drivers/block"}
	dir := dirs[unit/97%len(dirs)]
	source := fmt.Sprintf("%s/%s_%d.c", dir, []string{"core", "table", "inode", "queue", "sched"}[b.IntN(5)], unit)
	object := strings.TrimSuffix(source, ".c") + ".o"
	temporary := fmt.Sprintf("/tmp/cc%06x.s", b.Uint32()&0xffffff)
	shell := program{"/usr/bin/dash", 1234, []string{"/bin/sh", "-c", "gcc -O2 -Wall -Iinclude -c -o " + object + " " + source}}
	gcc := program{"/usr/bin/x86_64-linux-gnu-gcc-12", 5678, []string{"gcc", "-O2", "-Wall", "-Iinclude", "-c", "-o", object, source}}
	cc1 := program{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", 9012, []string{
		"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-I", "include", "-imultiarch", "x86_64-linux-gnu", source, "-quiet",
		"-dumpbase", source[len(dir)+1:], "-mtune=generic", "-march=x86-64", "-O2", "-Wall", "-fasynchronous-unwind-tables", "-o", temporary,
	}}
	as := program{"/usr/bin/x86_64-linux-gnu-as", 3456, []string{"as", "-I", "include", "--64", "-o", object, temporary}}
	makefile := schema.ProcessKey{TGID: 20_990, Start: 86_390_000_000, Exec: 1}
	sh := b.run(makefile, shell)
	driver := b.run(sh, gcc)
	b.exit(b.run(driver, cc1), cc1, 90_000)
	b.exit(b.run(driver, as), as, 9_000)
	b.exit(driver, gcc, 2_000)
	b.exit(sh, shell, 900)
	if b.IntN(20) == 0 {
		b.connect(makefile)
	}
}

// run is fork and exec, and returns the key of the process that runs p.
func (b *builder) run(parent schema.ProcessKey, p program) schema.ProcessKey {
	b.tgid += schema.TGID(1 + b.IntN(3)/2)
	k := schema.ProcessKey{TGID: b.tgid, Start: b.now + schema.BootTime(b.IntN(300)), Exec: 1}
	b.now = k.Start + schema.BootTime(200+b.IntN(900))
	b.append(schema.ProcessExec, k, parent, p)
	arguments := arguments(p)
	g := b.d.Columns().ProcessExec
	g.Arguments = append(g.Arguments, b.d.Text(arguments))
	g.ArgumentCount = append(g.ArgumentCount, uint32(len(p.args)))
	g.ArgumentsBytes = append(g.ArgumentsBytes, uint32(len(arguments)))
	g.Filename = append(g.Filename, b.d.Text([]byte(p.path)))
	g.Interpreter = append(g.Interpreter, 0)
	g.WorkingDirectory = append(g.WorkingDirectory, b.d.Text([]byte("/home/builder/linux")))
	g.Device = append(g.Device, 8<<20|1)
	g.Inode = append(g.Inode, p.inode)
	g.Mode = append(g.Mode, 0o100755)
	g.Deleted = append(g.Deleted, false)
	g.Memfd = append(g.Memfd, false)
	g.Secure = append(g.Secure, false)
	g.ArgumentsCut = append(g.ArgumentsCut, false)
	g.WorkingDirectoryCut = append(g.WorkingDirectoryCut, false)
	return k
}

func (b *builder) exit(k schema.ProcessKey, p program, took int) {
	b.now += schema.BootTime(took/2 + b.IntN(took))
	b.append(schema.ProcessExit, k, schema.ProcessKey{TGID: 20_990, Start: 86_390_000_000, Exec: 1}, p)
	g := b.d.Columns().ProcessExit
	g.ExitCode = append(g.ExitCode, uint32(b.IntN(40)/39))
	g.Signal = append(g.Signal, 0)
	g.CoreDumped = append(g.CoreDumped, false)
}

func (b *builder) connect(k schema.ProcessKey) {
	b.append(schema.NetworkConnect, k, schema.ProcessKey{TGID: 1}, program{path: "/usr/bin/make", args: []string{"make", "-j2"}})
	g := b.d.Columns().NetworkConnect
	g.Source = append(g.Source, b.d.Text([]byte{10, 0, 0, 5}))
	g.SourcePort = append(g.SourcePort, uint32(32768+b.IntN(28000)))
	g.Destination = append(g.Destination, b.d.Text([]byte{10, 0, 1, byte(b.IntN(20))}))
	g.DestinationPort = append(g.DestinationPort, 443)
	g.Errno = append(g.Errno, 0)
	g.FailedUnknown = append(g.FailedUnknown, false)
	g.LatencyUs = append(g.LatencyUs, uint64(200+b.IntN(4000)))
	g.NetworkNamespace = append(g.NetworkNamespace, 4_026_531_840)
	g.Ipv4Mapped = append(g.Ipv4Mapped, false)
	g.Socket = append(g.Socket, b.Uint64N(1<<20))
}

// append is what all kinds have in common. The process's entry is as it is when its batch first names it.
func (b *builder) append(kind *schema.Kind, k, parent schema.ProcessKey, p program) {
	index, ok := b.d.Process(k)
	if !ok {
		index = b.d.AddProcess(batch.ProcessEntry{
			Key:        k,
			Parent:     b.d.AddProcess(batch.ProcessEntry{Key: parent, Knowledge: weirv1.Knowledge_KNOWLEDGE_KEY}),
			Executable: []byte(p.path), Arguments: arguments(p), Comm: comm(p.path),
			LoginUIDPlus1: 1001, AuditPlus1: 4, TTY: 136 << 8, SessionLeader: 20_001,
		})
	}
	cpu := b.IntN(2)
	b.sequences[cpu] += uint64(1 + b.IntN(10)/9)
	b.rows++
	b.d.Append(batch.Event{
		Kind: kind, Time: b.now, CPU: uint32(cpu), Sequence: b.sequences[cpu], Process: index,
		Credentials: b.d.Credentials(batch.Credentials{
			CredentialIDs: batch.CredentialIDs{UID: 1000, GID: 1000, EUID: 1000, EGID: 1000}, UserName: "builder", GroupName: "builder",
		}),
		Cgroup: b.d.Cgroup(batch.Cgroup{ID: 4711, Name: "session-4.scope"}),
		Rung:   b.d.Rung("tp_btf/sched_" + kind.Options.GetAction()),
	})
}

func arguments(p program) []byte {
	all := []byte(strings.Join(p.args, "\x00") + "\x00")
	return all[:min(256, len(all))]
}

func comm(path string) []byte {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return []byte(name[:min(15, len(name))])
}
