package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/weirproject/weir/internal/cli"
)

// need is a file or command that checks or tests use, and the Debian package that has it.
type need struct {
	what   string // a command, or an absolute path
	debian string
	why    string
}

func needs() []need {
	return []need{
		{"gcc", "gcc", "the race detector"},
		{"clang", "clang", "BPF objects"},
		{"llvm-strip", "llvm", "BPF objects"},
		{"/usr/include/bpf/bpf_helpers.h", "libbpf-dev", "BPF objects"},
		{"clang-format", "clang-format", "the check of C"},
		{"mvn", "maven", "Kafka and OpenSearch, which tests start"},
		{"javac", "openjdk-17-jdk-headless", "Kafka and OpenSearch, which tests start"},
		{"runc", "runc", "tests of containers"},
		{"qemu-system-x86_64", "qemu-system-x86", "tests on other kernels"},
		{"qemu-system-aarch64", "qemu-system-arm", "tests on other kernels"},
		{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring", "tests on other kernels"},
		{"column", "bsdextrautils", "make help"},
	}
}

// peers are what make bench compares weir with. auditd, whose package would start it, is unpacked by the bench.
func peers() []need {
	return []need{
		{"/usr/sbin/tcplife", "libbpf-tools", "the table of make bench"},
		{"bpftrace", "bpftrace", "the table of make bench"},
	}
}

// setup installs what is missing. It says what, and asks for root only then.
func setup(ctx context.Context, w io.Writer, all []need) error {
	var packages []string
	for _, n := range all {
		if present(n.what) {
			continue
		}
		fmt.Fprintf(w, "setup: %s is missing (for %s): installing Debian's %s\n", n.what, n.why, n.debian)
		packages = append(packages, n.debian)
	}
	if len(packages) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return cli.WithHint(fmt.Errorf("install %s: not root", strings.Join(packages, " ")),
			"run as root: apt-get install "+strings.Join(packages, " "))
	}
	if err := apt(ctx, "update", "-q"); err != nil {
		return err
	}
	return apt(ctx, append([]string{"install", "-qy", "--no-install-recommends"}, packages...)...)
}

func present(what string) bool {
	if strings.HasPrefix(what, "/") {
		_, err := os.Stat(what)
		return err == nil
	}
	_, err := exec.LookPath(what)
	return err == nil
}

func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%sapt-get %s: %w", out, strings.Join(args, " "), err)
	}
	return nil
}
