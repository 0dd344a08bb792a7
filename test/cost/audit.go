package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// audit is the kernel's audit with its daemon. Once it was on, every new process is given an audit context until the
// machine starts anew, and each of its system calls goes the slow way; a rule on tasks takes that away
// again, and is there whenever audit is not measured.
type audit struct {
	tool
	files string // of the unpacked package
}

const auditConfig = `local_events = yes
write_logs = yes
log_file = %[1]s
log_format = RAW
flush = INCREMENTAL_ASYNC
freq = 50
num_logs = 0
max_log_file = 0
max_log_file_action = IGNORE
space_left = 2
admin_space_left = 1
space_left_action = IGNORE
admin_space_left_action = IGNORE
disk_full_action = IGNORE
disk_error_action = IGNORE
`

func startAudit(ctx context.Context, b *bench, w Workload) (watcher, error) {
	files := filepath.Join(b.dir, "audit-package")
	if err := unpackOnce(ctx, files, "auditd", "libauparse0", "libwrap0"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "audit-")
	if err != nil {
		return nil, err
	}
	a := &audit{files: files}
	a.bench, a.workload, a.events = b, w, filepath.Join(dir, "audit.log")
	a.isEvent = func(line []byte) bool { return bytes.HasPrefix(line, []byte("type=EXECVE")) } // one of an event's records
	if err := a.unused(); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(auditConfig, a.events)
	if err := os.WriteFile(filepath.Join(dir, "auditd.conf"), []byte(config), 0o640); err != nil {
		return nil, err
	}
	if err := a.start(dir, a.command("auditd", "-n", "-c", dir)); err != nil {
		return nil, err
	}
	for _, rule := range []string{"-D", "-b 8192", "-e 1", "-a always,exit -F arch=b64 -S execve -S execveat"} {
		if _, err := a.control(rule); err != nil {
			return nil, errors.Join(err, a.stop())
		}
	}
	a.also, err = processNamed("kauditd")
	return a, err
}

// unused makes sure that nobody else has rules, which would be lost.
func (a *audit) unused() error {
	rules, err := a.control("-l")
	if err != nil {
		return err
	}
	if text := strings.TrimSpace(string(rules)); text != "No rules" && text != neverAudited {
		return errors.New("audit: has rules on this machine, which are not touched")
	}
	return nil
}

// neverAudited is the rule that keeps new processes off the slow way, as auditctl lists it.
const neverAudited = "-a never,task"

func (a *audit) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(a.files, "sbin", name), args...)
	libraries, _ := filepath.Glob(filepath.Join(a.files, "usr/lib/*-linux-gnu")) // the pattern is well formed
	more, _ := filepath.Glob(filepath.Join(a.files, "lib/*-linux-gnu"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(append(libraries, more...), ":"))
	return cmd
}

func (a *audit) control(rule string) (out []byte, err error) {
	if out, err = a.command("auditctl", strings.Fields(rule)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("auditctl %s: %s: %w", rule, lastLine(out), err)
	}
	return out, nil
}

// stop leaves audit off, and new processes without a context.
func (a *audit) stop() (err error) {
	for _, rule := range []string{"-D", "-a task,never", "-e 0"} {
		_, failed := a.control(rule)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, a.tool.stop())
}
