package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// machine is one that QEMU makes of software alone, with one CPU: two take as long, and the other core with them.
type machine struct {
	qemu    string
	debian  string // the package that has it
	options []string
	console string
}

var (
	// microvm starts a second sooner, but not 5.10, and newer ones only now and then: they calibrate their clock by
	// what a busy machine cannot emulate in time.
	pc = machine{"qemu-system-x86_64", "qemu-system-x86", []string{"-M", "pc", "-cpu", "max"}, "ttyS0"}
	// Real pointer authentication is most of what the emulation of arm64 would do.
	virt = machine{"qemu-system-aarch64", "qemu-system-arm", []string{"-M", "virt", "-cpu", "max,pauth-impdef=on"}, "ttyAMA0"}
)

// run starts the kernel with the initrd and the command line, whose end are init's arguments, and returns what the console has shown when
// the machine is off.
func (m machine) run(ctx context.Context, kernel, initrd, line string, args []string) (console []byte, err error) {
	if _, err := exec.LookPath(m.qemu); err != nil {
		return nil, fmt.Errorf("%s is missing: apt-get install -y %s", m.qemu, m.debian)
	}
	line = "console=" + m.console + " panic=-1 quiet " + line + " rdinit=/init -- " + strings.Join(args, " ")
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "nice", append([]string{ // tests beside this one wait for less
		m.qemu, "-accel", "tcg", "-m", "512", "-smp", "1", "-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none",
		"-no-reboot", "-kernel", kernel, "-initrd", initrd, "-append", line,
	}, m.options...)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that go test ends cleans up nothing
	err = cmd.Run()
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return out.Bytes(), err
}
