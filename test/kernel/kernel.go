// Package kernel runs weir's tests on kernels that this machine does not run, in QEMU without KVM.
//
//	matrix ─► Debian's package, by an apt of its own ─► .cache/kernels/NAME/kernel
//	collector/attach, bpf: go test -c ─► initrd with guest as init ─┴─► QEMU ─► console ─► report
//	                                                                     docs/kernels.md ◄─┘
//
// The kernels are the newest of their series when they are fetched; `make clean` has them fetched anew. A test that
// skips itself fails here: what a kernel lacks shows in the rung that it takes, and tests ask for that.
//
// What it needs of the machine are Debian's packages qemu-system-x86, qemu-system-arm and apt's own tools. What is
// missing is a failure that says so.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernel is one that tests run on.
type Kernel struct {
	Name string // in docs/kernels.md
	Arch string // as Go has it
	from source
	machine
	boot
}

// boot is how a kernel is started.
type boot struct {
	name   string // of the restriction; empty: there is none
	line   string // the kernel's command line
	hidden string // what init hides behind an empty directory, or does not mount
}

const whole = "lsm=lockdown,bpf"

// restrictions are what machines are met with, whatever their kernel.
func restrictions() []boot {
	return []boot{
		{name: "no `bpf` in `lsm=`", line: "lsm=lockdown"},
		{name: "`lockdown=integrity`", line: whole + " lockdown=integrity"},
		{name: "`lockdown=confidentiality`", line: whole + " lockdown=confidentiality"},
		{name: "no types of the kernel (BTF)", line: whole, hidden: "/sys/kernel/btf"},
		{name: "tracefs is not mounted", line: whole, hidden: "/sys/kernel/tracing"},
		{name: "cgroup2 is not mounted", line: whole, hidden: "/sys/fs/cgroup"},
	}
}

// restricted is one kernel, once by each restriction.
func restricted() (all []Kernel) {
	for _, b := range restrictions() {
		k := matrix()[restrictedKernel]
		k.boot = b
		all = append(all, k)
	}
	return all
}

const restrictedKernel = 2 // 6.12, amd64

// matrix is the floor, what Debian's stable releases have had since, and the newest there is.
func matrix() []Kernel {
	bullseye := func(arch string) source {
		return source{security, "bullseye-security", `^linux-image-5\.10\.0-[0-9]+-cloud-` + arch + `$`}
	}
	bookworm := func(arch string) source {
		return source{debian, "bookworm", `^linux-image-6\.1\.0-[0-9]+-cloud-` + arch + `$`}
	}
	trixie := func(arch string) source {
		return source{debian, "trixie", `^linux-image-6\.12\.[0-9]+\+deb13-cloud-` + arch + `$`}
	}
	backports := func(arch string) source {
		return source{debian, "trixie-backports", `^linux-binary-[0-9.]+\+deb13-cloud-` + arch + `$`}
	}
	return []Kernel{
		{"5.10", "amd64", bullseye("amd64"), pc, boot{line: whole}},
		{"6.1", "amd64", bookworm("amd64"), pc, boot{line: whole}},
		{"6.12", "amd64", trixie("amd64"), pc, boot{line: whole}},
		{"newest", "amd64", backports("amd64"), pc, boot{line: whole}},
		{"6.12", "arm64", trixie("arm64"), virt, boot{line: whole}},
		{"newest", "arm64", backports("arm64"), virt, boot{line: whole}},
	}
}

// String names the kernel's directory in the cache.
func (k Kernel) String() string { return k.Name + "-" + k.Arch }

// test names the kernel and its restriction, of which there may be none.
func (k Kernel) test() string {
	return strings.TrimSpace(k.String() + " " + strings.ReplaceAll(k.boot.name, "`", ""))
}

// arguments are those of the guest's init.
func (k Kernel) arguments(tests map[string]string) (args []string) {
	if k.hidden != "" {
		args = append(args, "hidden="+k.hidden)
	}
	for _, binary := range slices.Sorted(maps.Keys(tests)) {
		args = append(args, binary+"="+tests[binary])
	}
	return args
}

// image is the file in a kernel's directory that QEMU starts. It is the last one written there.
const image = "kernel"

// fetch returns the kernel's directory within the cache, and fills it at its first use.
func (k Kernel) fetch(ctx context.Context, cache string) (dir string, err error) {
	dir, err = filepath.Abs(filepath.Join(cache, k.String())) // apt takes no other paths
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	_, err = os.Stat(filepath.Join(dir, image))
	if errors.Is(err, os.ErrNotExist) {
		err = k.fill(ctx, dir)
	}
	if err != nil {
		return "", fmt.Errorf("fetch kernel %s: %w", k, err)
	}
	return dir, nil
}

func (k Kernel) fill(ctx context.Context, dir string) error {
	apt := tree{dir: filepath.Join(dir, "apt"), arch: k.Arch}
	if err := os.RemoveAll(apt.dir); err != nil { // what another run has left half done
		return err
	}
	if err := apt.open(ctx, k.from); err != nil {
		return err
	}
	deb, err := apt.download(ctx, k.from.names)
	if err != nil {
		return err
	}
	packed, err := vmlinuz(ctx, deb)
	if err != nil {
		return err
	}
	plain, err := uncompressed(k.Arch, packed)
	if err != nil {
		return fmt.Errorf("%s: %w", deb, err)
	}
	partial := filepath.Join(dir, image+".partial")
	if err := os.WriteFile(partial, plain, 0o644); err != nil {
		return err
	}
	return errors.Join(os.Rename(partial, filepath.Join(dir, image)), os.RemoveAll(apt.dir))
}
