package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// What this test binary is when it is run with these variables: a collector over a directory, or a program that
// ends at once.
const (
	collectorData = "WEIR_TEST_COLLECTOR"
	collectorEnd  = "WEIR_TEST_COLLECTOR_END"  // where it kills itself, such as "saved:3"
	collectorRing = "WEIR_TEST_COLLECTOR_RING" // its size, where it is not the default
	collectorYAML = "WEIR_TEST_COLLECTOR_YAML" // a file of configuration over testConfig's
	collectorRows = "WEIR_TEST_COLLECTOR_ROWS" // of a batch, likewise
	workloadExec  = "WEIR_TEST_EXEC"
	workloadSleep = "WEIR_TEST_SLEEP"

	workloadChecks = "WEIR_TEST_CHECKS" // asks for capabilities until its input ends, and says how often
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(collectorData) != "":
		os.Exit(collectUntilStopped(os.Getenv(collectorData)))
	case os.Getenv(workloadExec) != "":
		os.Exit(0)
	case os.Getenv(workloadChecks) != "":
		os.Exit(checkUntilStopped())
	case os.Getenv(workloadSleep) != "":
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testConfig is that of a collector whose brokers are away, so that its batches stay in the spool.
func testConfig(data string) Config {
	cfg := Default()
	cfg.Data = data
	cfg.Attachment = "test-" + strings.ToLower(filepath.Base(filepath.Dir(data)))
	cfg.Kafka.Brokers = []string{"127.0.0.1:1"}
	cfg.Memory.Ring = 32 * config.MiB // other tests' floods are to find room too
	cfg.Batch.Age = 10 * time.Millisecond
	cfg.Heartbeat = time.Second
	cfg.Summary = time.Second
	cfg.StopTimeout = time.Second
	return cfg
}

func collectUntilStopped(data string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg := testConfig(data)
	if rows, err := strconv.Atoi(os.Getenv(collectorRows)); err == nil {
		cfg.Batch.Rows = rows
	}
	if ring, err := strconv.Atoi(os.Getenv(collectorRing)); err == nil {
		cfg.Memory.Ring = config.Size(ring)
	}
	var err error
	if file := os.Getenv(collectorYAML); file != "" {
		err = config.Load(file, &cfg)
	}
	var c *Collector
	if err == nil {
		c, err = New(cfg, log)
	}
	if err == nil {
		err = errors.Join(runUntil(ctx, c, os.Getenv(collectorEnd)), c.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// runUntil runs the collector, or its loop alone up to the end that is named: once the hooks are attached and nothing
// was read, once the progress was saved so many times, or before the ring is released for that time, and so after the
// batch was stored.
func runUntil(ctx context.Context, c *Collector, end string) error {
	switch end {
	case "":
		return c.Run(ctx)
	case "attached:1":
		killSelf()
	}
	l, err := c.newLoop(c.source())
	if err != nil {
		return err
	}
	where, at, _ := strings.Cut(end, ":")
	left, err := strconv.Atoi(at)
	if err != nil {
		return err
	}
	count := func(at string) {
		if at != where {
			return
		}
		if left--; left == 0 {
			killSelf()
		}
	}
	save, release := l.save, l.release
	l.save = func(text []byte) error { defer count("saved"); return save(text) }
	l.release = func(to uint64) { count("stored"); release(to) }
	return c.collect(ctx, l)
}

func killSelf() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// victim is a directory over which collectors run, one after the other.
type victim struct {
	*testing.T
	data string
	cmd  *exec.Cmd
	yaml string // file of configuration; none: testConfig alone
	said notes  // by the present one
}

// notes are what a process writes, and may be read meanwhile.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

func (n *notes) Reset() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text.Reset()
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{T: t, data: filepath.Join(dir, "data")}
	t.Cleanup(func() {
		if v.cmd != nil && v.cmd.ProcessState == nil {
			v.kill()
		}
		if err := os.RemoveAll(v.pins()); err != nil {
			t.Error(err)
		}
	})
	return v
}

func (v *victim) pins() string { return "/sys/fs/bpf/weir/" + testConfig(v.data).Attachment }

func (v *victim) start() { v.Helper(); v.startUntil("") }

func (v *victim) startUntil(end string) {
	v.Helper()
	self, err := os.Executable()
	if err != nil {
		v.Fatal(err)
	}
	v.said.Reset()
	v.cmd = exec.Command(self)
	v.cmd.Env = append(os.Environ(), collectorData+"="+v.data, collectorEnd+"="+end, collectorYAML+"="+v.yaml)
	v.cmd.Stderr = &v.said
	if err := v.cmd.Start(); err != nil {
		v.Fatal(err)
	}
}

// killsItselfAt starts a collector, and waits until it is dead.
func (v *victim) killsItselfAt(end string) {
	v.Helper()
	v.startUntil(end)
	if err := v.cmd.Wait(); err == nil || v.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		v.Fatalf("%s: %v\n%s", end, err, v.said.String())
	}
}

func (v *victim) kill() {
	_ = v.cmd.Process.Kill() // where it has ended by itself, ended tells
	_ = v.cmd.Wait()
}

// stop ends the collector in good order.
func (v *victim) stop() {
	v.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		v.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		v.Fatalf("%v\n%s", err, v.said.String())
	}
}

// detach takes the hooks off, as weir-collector detach does.
func (v *victim) detach() {
	v.Helper()
	if err := Detach(v.Context(), testConfig(v.data), slog.New(slog.NewTextHandler(v.Output(), nil))); err != nil {
		v.Fatal(err)
	}
}

// runs waits until the present collector has stored its first batch.
func (v *victim) runs(before int) {
	v.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(v.batches()) <= before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			v.kill()
			v.Fatalf("no batch came\n%s", v.said.String())
		}
	}
}

// batches reads what is in the spool. It may still be written to.
func (v *victim) batches() (all []*batch.Batch) {
	v.Helper()
	for l, err := range spool.List(filepath.Join(v.data, "spool")) {
		if err != nil || l.Damage != nil {
			return all // not there yet, or torn: a collector cuts it at its start
		}
		b, err := batch.Read(l.Entry.Body, batch.DefaultReadLimits())
		if err != nil {
			v.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// atOnce lets a program that the race detector is in end when it ends, and not a second later.
const atOnce = "GORACE=atexit_sleep_ms=0"

// ours begins the markers of this process: the tests of another checkout may run at the same time.
var ours = fmt.Sprintf("crash-%d-", os.Getpid())

// work is what the test did: markers of execs, and source ports of connects.
type work struct {
	Execs []string
	Ports []uint32
}

// workload does things until done is closed, and sends what it did.
func workload(t *testing.T, port *int, done <-chan struct{}) <-chan work {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	*port = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	did := make(chan work, 1)
	go func() {
		defer l.Close()
		var w work
		for n := 0; ; n++ {
			select {
			case <-done:
				did <- w
				return
			default:
			}
			if err := w.exec(n); err != nil {
				t.Error(err)
			}
			if err := w.connect(l.Addr().String()); err != nil {
				t.Error(err)
			}
		}
	}()
	return did
}

func (w *work) exec(n int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	marker := fmt.Sprintf("%s%06d", ours, n)
	cmd := exec.Command(self, marker)
	cmd.Env = []string{workloadExec + "=1", atOnce}
	w.Execs = append(w.Execs, marker)
	return cmd.Run()
}

func (w *work) connect(to string) error {
	c, err := net.Dial("tcp4", to)
	if err != nil {
		return err
	}
	w.Ports = append(w.Ports, uint32(c.LocalAddr().(*net.TCPAddr).Port))
	return c.Close()
}

// seen finds in the batches what a workload did.
func seen(batches []*batch.Batch, port int) (w work) {
	for _, b := range batches {
		p := b.Proto()
		for row := range b.Rows() {
			switch b.KindName(row) {
			case schema.ProcessExec.Name:
				process := p.GetCommon().GetProcess()[row.Index]
				arguments := b.Text(uint32(schema.At(p.GetProcesses().GetArguments(), int(process)-1)))
				if _, marker, ok := bytes.Cut(arguments, []byte("\x00"+ours)); ok {
					w.Execs = append(w.Execs, ours+strings.TrimSuffix(string(marker), "\x00"))
				}
			case schema.NetworkConnect.Name:
				g := p.GetNetworkConnect()
				if schema.At(g.GetDestinationPort(), row.GroupRow) == uint32(port) {
					w.Ports = append(w.Ports, schema.At(g.GetSourcePort(), row.GroupRow))
				}
			}
		}
	}
	slices.Sort(w.Execs)
	return w
}

// renameKind makes the build that has attached the hooks one that has another kind in this one's place; both names
// are of one length.
func (v *victim) renameKind(from, to string) {
	v.Helper()
	found, err := filepath.Glob(v.pins() + "/*/about")
	if err != nil || len(found) != 1 {
		v.Fatalf("%v, %v", found, err)
	}
	m, err := ebpf.LoadPinnedMap(found[0], nil)
	if err != nil {
		v.Fatal(err)
	}
	defer m.Close()
	value, err := m.LookupBytes(uint32(0))
	if err != nil {
		v.Fatal(err)
	}
	if err := m.Put(uint32(0), bytes.ReplaceAll(value, []byte(from), []byte(to))); err != nil {
		v.Fatal(err)
	}
}
