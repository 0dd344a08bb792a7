package trace

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/internal/cli"
)

// What this test binary is when it is run with these variables: a program that ends with this code, or by
// this signal where it is negative; or a trace.
const (
	exitCode = "WEIR_TEST_EXIT"
	tracing  = "WEIR_TEST_TRACE"
	executes = "WEIR_TEST_EXECUTES" // what is not there
)

func TestMain(m *testing.M) {
	if code, err := strconv.Atoi(os.Getenv(exitCode)); err == nil {
		if code < 0 {
			unix.Kill(os.Getpid(), syscall.Signal(-code))
			select {}
		}
		os.Exit(code)
	}
	if path := os.Getenv(executes); path != "" {
		if err := unix.Exec(path, []string{"none", "\x1b[1m"}, nil); err != unix.ENOENT {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(tracing) != "" {
		os.Args = append(os.Args[:1], strings.Fields(os.Getenv(tracing))...)
		os.Exit(cli.Main(Command()))
	}
	os.Exit(m.Run())
}

// A session is one trace, looked at by a test.
type session struct {
	*testing.T
	stop  context.CancelFunc
	lines chan string
	said  bytes.Buffer // its ledger, once stopped
	ended chan error
}

// begin starts a trace of this name with flags, and returns once its titles are shown.
func begin(t *testing.T, name string, args ...string) (s *session, titles string) {
	t.Helper()
	s = start(t, name, args...)
	return s, s.next()
}

func start(t *testing.T, name string, args ...string) *session {
	t.Helper()
	i := slices.IndexFunc(traces(), func(tr trace) bool { return tr.name == name })
	tr := traces()[i]
	o := options{trace: tr}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	o.add(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	s := &session{T: t, stop: stop, lines: make(chan string, 1<<16), ended: make(chan error, 1)}
	go func() {
		s.ended <- tr.run(ctx, &o, cli.Env{Stdout: w, Stderr: &s.said, Log: slog.New(slog.DiscardHandler)})
		w.Close()
	}()
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			s.lines <- lines.Text()
		}
		close(s.lines)
	}()
	return s
}

// next waits for a line.
func (s *session) next() string {
	s.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok {
			s.Fatalf("it ended: %v\n%s", <-s.ended, s.said.String())
		}
		return line
	case <-time.After(30 * time.Second):
		s.Fatal("no line came")
	}
	return ""
}

// end stops it, and returns the lines that nobody has seen yet, and the ledger.
func (s *session) end() (lines []string, ledger string) {
	s.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		s.Fatal(err)
	}
	for line := range s.lines {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines, s.said.String()
}

// ends runs this binary under a name of its own, and returns its process id.
func ends(t *testing.T, name string, code int, args ...string) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link, args...)
	cmd.Env = []string{fmt.Sprintf("%s=%d", exitCode, code)}
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != max(code, -1) {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func TestExecShowsWhatWasStarted(t *testing.T) {
	s, titles := begin(t, "exec", "-n", "weirexec")
	if want := []string{"PCOMM", "PID", "PPID", "RET", "ARGS"}; !slices.Equal(strings.Fields(titles), want) {
		t.Errorf("titles %q, want %q", titles, want)
	}
	pid := ends(t, "weirexec", 0, "two words", "\x1b[31mred\nline")
	ends(t, "weirother", 0)
	lines, ledger := s.end()
	if len(lines) != 1 || !strings.HasPrefix(lines[0], fmt.Sprintf("weirexec %d %d 0 /", pid, os.Getpid())) ||
		!strings.HasSuffix(lines[0], `/weirexec two words \x1b[31mred\nline`) {
		t.Errorf("%q", lines)
	}
	checkLedger(t, ledger, "process.exec", 1)
}

// checkLedger wants sums that add up, and so many events shown. The machine's other events may have filled the ring.
func checkLedger(t *testing.T, ledger, kind string, shown uint64) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(ledger), "\n")
	head, parts, _ := strings.Cut(lines[0], " seen by the hooks = ")
	seen, err := strconv.ParseUint(strings.TrimPrefix(head, kind+": "), 10, 64)
	if err != nil || len(lines) < 2 {
		t.Fatalf("%v: %s", err, ledger)
	}
	outcomes := make(map[string]uint64)
	for part := range strings.SplitSeq(parts, " + ") {
		var n uint64
		var outcome string
		if _, err := fmt.Sscan(part, &n, &outcome); err != nil {
			t.Fatalf("%v: %s", err, ledger)
		}
		outcomes[outcome] = n
		seen -= n
	}
	var read, told, filtered uint64
	if _, err := fmt.Sscanf(lines[1], "%d read = %d shown + %d filtered by flags", &read, &told, &filtered); err != nil {
		t.Fatalf("%v: %s", err, ledger)
	}
	if seen != 0 || outcomes["sent"] != read || read != told+filtered || told != shown {
		t.Error(ledger)
	}
}

func TestExecShowsFailuresToo(t *testing.T) {
	s, _ := begin(t, "exec", "-x", "-n", "weirnone")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "weirnone")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link)
	cmd.Env = []string{executes + "=/nonexistent/\x1b[0m"}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	lines, _ := s.end()
	from := fmt.Sprintf("weirnone %d %d ", cmd.Process.Pid, os.Getpid())
	want := []string{from + "0 " + link, from + `ENOENT none \x1b[1m`}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestExitShowsFailuresAlone(t *testing.T) {
	s, _ := begin(t, "exit", "-x", "-n", "weirexit")
	ends(t, "weirexit0", 0)
	pid := ends(t, "weirexit3", 3)
	killed := ends(t, "weirexit9", -9)
	lines, _ := s.end()
	for i := range lines { // without the age
		fields := strings.Fields(lines[i])
		lines[i] = strings.Join(append(fields[:3], fields[4:]...), " ")
	}
	want := []string{
		fmt.Sprintf("weirexit3 %d %d code 3", pid, os.Getpid()),
		fmt.Sprintf("weirexit9 %d %d signal 9 (KILL)", killed, os.Getpid()),
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// talk listens, connects, sends 3,000 bytes, and closes, and then connects to nobody there.
func talk(t *testing.T) (listener, client *net.TCPAddr) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, 3000)); err != nil {
		t.Fatal(err)
	}
	client = c.LocalAddr().(*net.TCPAddr)
	c.Close()
	if _, err := io.Copy(io.Discard, accepted); err != nil {
		t.Fatal(err)
	}
	accepted.Close()
	listener = l.Addr().(*net.TCPAddr)
	l.Close()
	if _, err := net.Dial("tcp4", listener.String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	return listener, client
}

// fieldsOf splits each line, and leaves out the column of this number from the end, which tells a time.
func fieldsOf(lines []string, without int) (all [][]string) {
	for _, line := range lines {
		fields := strings.Fields(line)
		all = append(all, slices.Delete(fields, len(fields)-without, len(fields)-without+1))
	}
	return all
}

func TestConnectShowsResults(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	s, _ := begin(t, "connect", "-p", pid)
	l, c := talk(t)
	lines, ledger := s.end()
	comm := commOf(t)
	port := strconv.Itoa(l.Port)
	got := fieldsOf(lines, 2)
	want := [][]string{
		{pid, comm, "4", "127.0.0.1", strconv.Itoa(c.Port), "127.0.0.1", port, "0"},
		{pid, comm, "4", "127.0.0.1", got[min(1, len(got)-1)][4], "127.0.0.1", port, "ECONNREFUSED"}, // its port is nobody's any more
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	checkLedger(t, ledger, "network.connect", 2)
}

func commOf(t *testing.T) string {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(comm))
}

func TestListenAndCloseOfAPort(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	listens, _ := begin(t, "listen", "-p", pid)
	closes, _ := begin(t, "close", "-p", pid)
	l, c := talk(t)
	comm, server, client := commOf(t), strconv.Itoa(l.Port), strconv.Itoa(c.Port)
	lines, _ := listens.end()
	if len(lines) != 1 || !strings.HasSuffix(lines[0], server+" 127.0.0.1") || !strings.HasPrefix(lines[0], pid+" "+comm+" 4 ") {
		t.Errorf("listen: %q", lines)
	}
	lines, _ = closes.end()
	want := [][]string{
		{pid, comm, "127.0.0.1", client, "127.0.0.1", server, "3", "0"},
		{pid, comm, "127.0.0.1", server, "127.0.0.1", client, "0", "3"},
	}
	if diff := cmp.Diff(want, fieldsOf(lines, 1)); diff != "" {
		t.Errorf("close (-want +got):\n%s", diff)
	}
}

func TestPortsAndFailuresAreChosen(t *testing.T) {
	first, second := closedPort(t), closedPort(t)
	s, _ := begin(t, "connect", "-x", "-P", fmt.Sprint(second))
	for _, port := range []int{first, second} {
		if _, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.Fatal("connected to nobody")
		}
	}
	lines, _ := s.end()
	if len(lines) != 1 || !strings.Contains(lines[0], fmt.Sprintf(" %d ", second)) {
		t.Errorf("%q; want the one to port %d", lines, second)
	}
}

func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestColumnsThatAreAskedFor(t *testing.T) {
	s, titles := begin(t, "exec", "-T", "-t", "-U", "-C", "-n", "weirmore")
	if want := []string{"TIME", "TIME(s)", "USER", "CONTAINER", "PCOMM", "PID", "PPID", "RET", "ARGS"}; !slices.Equal(strings.Fields(titles), want) {
		t.Errorf("titles %q, want %q", titles, want)
	}
	before := time.Now().Truncate(time.Second)
	ends(t, "weirmore", 0)
	lines, _ := s.end()
	if len(lines) != 1 {
		t.Fatalf("%q", lines)
	}
	fields := strings.Fields(lines[0])
	at, err := time.ParseInLocation("15:04:05", fields[0], time.Local)
	if err != nil || at.Second() != before.Second() && at.Second() != (before.Second()+1)%60 && at.Second() != (before.Second()+2)%60 {
		t.Errorf("time %q, want about %v", fields[0], before)
	}
	if seconds, err := strconv.ParseFloat(fields[1], 64); err != nil || seconds > 30 || fields[2] != "root" {
		t.Errorf("%q", lines)
	}
}

func TestJSONIsADocumentALine(t *testing.T) {
	s := start(t, "exit", "-json", "-n", "weirjson")
	var pids []int
	for len(s.lines) == 0 && len(pids) < 1000 { // it has no titles that say when it began
		pids = append(pids, ends(t, "weirjson", 7))
	}
	var document struct {
		Event   struct{ Action string }
		Process struct {
			PID      int `json:"pid"`
			ExitCode int `json:"exit_code"`
		}
	}
	line := s.next()
	if err := json.Unmarshal([]byte(line), &document); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if !slices.Contains(pids, document.Process.PID) || document.Process.ExitCode != 7 {
		t.Errorf("%s; want one of %v with code 7", line, pids)
	}
	s.end()
}

// Nothing more than these two capabilities is needed.
func TestTwoCapabilitiesAreEnough(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "weir-trace-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "weir")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = []string{tracing + "=exec -n weircaps"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 1000, Gid: 1000},
		AmbientCaps: []uintptr{unix.CAP_BPF, unix.CAP_PERFMON},
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("%v: %s", cmd.Wait(), said.String())
	}
	pid := ends(t, "weircaps", 0)
	if !lines.Scan() || !strings.Contains(lines.Text(), fmt.Sprintf(" %d ", pid)) {
		t.Errorf("%q", lines.Text())
	}
	if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
	checkLedger(t, said.String(), "process.exec", 1)
}

func TestWrongFlagsAreSaid(t *testing.T) {
	for want, o := range map[string]options{
		`-p "1,x": write numbers, separated by commas`:                     {pids: "1,x"},
		`-P "99999": write numbers, separated by commas`:                   {onPorts: "99999"},
		`-u "nobody-is-called-so": user: unknown user nobody-is-called-so`: {user: "nobody-is-called-so"},
	} {
		if _, err := o.filter(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
