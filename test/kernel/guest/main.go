// Program guest is the init of a virtual machine of test/kernel: it tells what the kernel's survey says, runs test
// binaries, and powers the machine off. What it tells goes to the console, in lines that begin with Mark.
//
// Its arguments are test binaries, each with what -test.run is to select: "attach.test=^TestExec". Before them may be
// what the machine is to lack: "hidden=/sys/kernel/btf".
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/test/kernel/survey"
)

// mounted is in the environment of the second run. The first one's Go packages have looked at /proc already
// when main begins, and found it empty: cilium/ebpf does so once a process.
const mounted = "WEIR_GUEST_MOUNTED"

// hidden is the name of the argument that tells what the machine is to lack.
const hidden = "hidden"

func main() {
	if os.Getenv(mounted) == "" {
		tell("start", again())
		powerOff()
	}
	if err := loopbackUp(); err != nil {
		tell("loopback", err)
	}
	tellSurvey()
	for _, arg := range os.Args[1:] {
		if binary, run, _ := strings.Cut(arg, "="); binary != hidden {
			tell("end "+binary, test(binary, run))
		}
	}
	powerOff()
}

// tell prints what became of a step, in a line of its own: a test may have left one unfinished.
func tell(step string, err error) {
	if err == nil {
		fmt.Printf("\nweir: %s: ok\n", step)
		return
	}
	fmt.Printf("\nweir: %s: %q\n", step, err.Error())
}

func tellSurvey() {
	s, err := survey.Take()
	if err != nil {
		tell("survey", err)
		return
	}
	text, err := json.Marshal(s)
	if err != nil {
		tell("survey", err)
		return
	}
	fmt.Printf("\nweir: survey: %s\n", text)
}

// again mounts what tests look at, and starts this program anew.
func again() error {
	for _, m := range mounts(hiddenPath()) {
		if err := mount(m.kind, m.at); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	env := append(os.Environ(), mounted+"=1", "TMPDIR=/tmp", "PATH=/")
	return unix.Exec("/init", os.Args, env)
}

type mountPoint struct{ kind, at string }

// mounts is what tests look at, with an empty file system in the place of what is hidden.
func mounts(hide string) []mountPoint {
	all := []mountPoint{
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"tmpfs", "/tmp"},
		{"cgroup2", "/sys/fs/cgroup"},
		{"bpf", "/sys/fs/bpf"},
		{"tracefs", "/sys/kernel/tracing"},
		{"securityfs", "/sys/kernel/security"},
	}
	if hide == "" {
		return all
	}
	all = slices.DeleteFunc(all, func(m mountPoint) bool { return m.at == hide })
	return append(all, mountPoint{"tmpfs", hide})
}

// hiddenPath is what the arguments say, or nothing.
func hiddenPath() string {
	for _, arg := range os.Args[1:] {
		if name, path, _ := strings.Cut(arg, "="); name == hidden {
			return path
		}
	}
	return ""
}

func mount(kind, at string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	err := unix.Mount(kind, at, kind, 0, "")
	if errors.Is(err, unix.EBUSY) {
		return nil // the kernel mounts devtmpfs by itself
	}
	return err
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// test runs one test binary, in a directory of its own.
func test(binary, run string) error {
	dir, err := os.MkdirTemp("", "test-")
	if err != nil {
		return err
	}
	cmd := exec.Command("/"+binary, "-test.v", "-test.run="+run)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stdout
	return cmd.Run()
}

func powerOff() {
	unix.Sync()
	tell("power off", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	select {} // not reached, as an init that ends is a panic
}
