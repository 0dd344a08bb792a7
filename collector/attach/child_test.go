package attach

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// behaviour is the variable that makes this test binary a child that a test watches: the binary needs no
// other program beside it, and so runs as a virtual machine's only one too.
const behaviour = "WEIR_TEST_CHILD"

// init runs on the process's first thread, and TestMain on any: a child keeps it, for those that end it alone.
func init() {
	if os.Getenv(behaviour) != "" {
		runtime.LockOSThread()
	}
}

// What a child does it begins on its first thread.
func init() {
	if os.Getenv(behaviour) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if what := os.Getenv(behaviour); what != "" {
		behave(what)
	}
	os.Exit(m.Run())
}

// behave does what the variable says, and ends the process.
func behave(what string) {
	word, argument, _ := strings.Cut(what, " ")
	switch word {
	case "exit":
		code, _ := strconv.Atoi(argument)
		os.Exit(code)
	case "signal":
		number, _ := strconv.Atoi(argument)
		unix.Kill(os.Getpid(), unix.Signal(number))
		select {}
	case "threads":
		leaveTogether(9, func() {})
	case "exec":
		execInThread(argument)
	case "deleted":
		execDeleted(argument)
	case "burn":
		burn(argument)
	case "attach":
		_, err := New(Default())
		fmt.Print(err)
	case "detach":
		fmt.Print(detachWithoutMembarrier())
	case "obey":
		obey()
	case "connect":
		connectInherited(argument)
	case "connect-leaderless":
		connectWithoutLeader(argument)
	case "reset":
		resetConnection(argument)
	case "serve":
		leave(serve(argument))
	case "pass":
		leave(passOn())
	case "cgroup-namespace":
		fmt.Print(rootInNamespace(argument))
	case "user":
		leave(changeUser())
	}
	os.Exit(0)
}

// leave ends the process, and says why where it is not well.
func leave(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// leaveTogether ends the process by several threads at the same moment, once each has done its work.
func leaveTogether(threads int, work func()) {
	var ready sync.WaitGroup
	start := make(chan struct{})
	ready.Add(threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			work()
			ready.Done()
			<-start
			os.Exit(0)
		}()
	}
	ready.Wait()
	close(start)
	select {}
}

// burn uses up CPU time and memory in one thread or several, and leaves.
func burn(how string) {
	const threads, each = 4, 150 * time.Millisecond
	memory := make([]byte, 48<<20)
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	switch how {
	case "alone":
		burnFor(threads * each)
	case "with threads that are gone":
		var gone sync.WaitGroup
		for range threads {
			gone.Go(func() {
				runtime.LockOSThread() // and not unlocked: the thread ends with the function
				burnFor(each)
			})
		}
		gone.Wait()
	case "with threads that leave together":
		leaveTogether(threads, func() { burnFor(each) })
	case "after its leader":
		go func() {
			runtime.LockOSThread()
			burnFor((threads - 1) * each)
			os.Exit(0)
		}()
		burnFor(each)
		unix.Syscall(unix.SYS_EXIT, 3, 0, 0) // the process goes on without its leader
	}
	runtime.KeepAlive(memory)
}

// exits is the environment of a program that ends with 5.
var exits = []string{behaviour + "=exit 5"}

// execInThread runs this binary anew, from another thread than the first.
func execInThread(how string) {
	gone := make(chan struct{})
	path, err := os.Readlink("/proc/self/exe") // once the leader is gone, /proc has none
	if err != nil {
		os.Exit(1)
	}
	go func() {
		runtime.LockOSThread()
		if how == "after its leader" {
			<-gone
			for isRunning(os.Getpid()) {
				runtime.Gosched()
			}
		}
		unix.Exec(path, []string{"again"}, exits)
		os.Exit(1)
	}()
	if how == "after its leader" {
		close(gone)
		unix.Syscall(unix.SYS_EXIT, 3, 0, 0)
	}
	select {}
}

// isRunning reports whether the thread is not a zombie yet.
func isRunning(tid int) bool {
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", tid))
	return err == nil && !strings.Contains(string(state), ") Z ")
}

// execDeleted runs a file that has no name any more.
func execDeleted(path string) {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		os.Exit(1)
	}
	environment, _ := syscall.SlicePtrFromStrings(exits)
	arguments, _ := syscall.SlicePtrFromStrings([]string{"deleted"})
	empty, _ := unix.BytePtrFromString("")
	unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(empty)), uintptr(unsafe.Pointer(&arguments[0])),
		uintptr(unsafe.Pointer(&environment[0])), unix.AT_EMPTY_PATH, 0)
	os.Exit(1)
}

// burnFor returns when this thread has had so much CPU time more.
func burnFor(d time.Duration) {
	sum := 0
	for end := threadTime() + d; threadTime() < end; {
		for i := range 100_000 { // in user space, mostly
			sum += i
		}
	}
	runtime.KeepAlive(sum)
}

func threadTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		panic(err)
	}
	return time.Duration(now.Nano())
}

// detachWithoutMembarrier attaches and detaches where membarrier is refused, as it is to a machine with nohz_full.
func detachWithoutMembarrier() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the system call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_MEMBARRIER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	a, err := New(Default())
	if err != nil {
		return err
	}
	return errors.Join(a.Detach(), a.Close())
}

// connectInherited connects with the descriptor that the parent passed.
func connectInherited(to string) {
	const inherited = 3
	failOn(unix.Connect(inherited, ipv4("127.0.0.1", netip.MustParseAddrPort(to).Port())))
}

// connectWithoutLeader connects on a thread that outlives the process's first one.
func connectWithoutLeader(to string) {
	leader := os.Getpid()
	go func() {
		runtime.LockOSThread()
		for !isZombie(leader) {
			runtime.Gosched()
		}
		failOn(plainConnect("tcp4", netip.MustParseAddrPort(to)))
		os.Exit(0)
	}()
	unix.Syscall(unix.SYS_EXIT, 0, 0, 0) // of this thread alone; not raw, or it would take the only CPU of Go with it
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func failOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// resetConnection connects, and closes so that the other end gets a reset.
func resetConnection(to string) {
	port, _ := strconv.Atoi(to)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
	}
	if err == nil {
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if err == nil {
		err = unix.Close(fd)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// self is this test binary's path, as the kernel has it.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// atOnce lets a program that the race detector is in end when it ends, and not a second later.
const atOnce = "GORACE=atexit_sleep_ms=0"

// child is this binary, about to behave so.
func child(t *testing.T, what string, arguments ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), self(t))
	cmd.Args = append(cmd.Args, arguments...)
	cmd.Env = []string{behaviour + "=" + what, atOnce}
	return cmd
}

// ended runs the command and returns how it ended.
func ended(t *testing.T, cmd *exec.Cmd) (pid int, status syscall.WaitStatus) {
	t.Helper()
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, cmd.ProcessState.Sys().(syscall.WaitStatus)
}
