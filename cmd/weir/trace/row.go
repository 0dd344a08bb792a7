package trace

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/cmd/weir/look"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// row is one event.
type row struct {
	*batch.Batch
	batch.Row
}

// process is the entry of who did it, from 1; 0: not known.
func (r row) process() uint32 { return uint32(schema.At(r.Proto().Common.Process, r.Index)) }

func (r row) pid() string { return pid(look.TGID(r.Proto(), r.process())) }

func (r row) parentPID() string { return pid(look.TGID(r.Proto(), look.Parent(r.Batch, r.process()))) }

// pid is blank where it is not known: 0 would be the idle task.
func pid(tgid int32) string {
	if tgid == 0 {
		return ""
	}
	return fmt.Sprint(tgid)
}

func (r row) comm() string {
	if r.process() == 0 {
		return "?"
	}
	return string(r.Text(schema.At(r.Proto().Processes.Comm, int(r.process()-1))))
}

func (r row) user() string { return look.User(r.Batch, r.credentials()) }

func (r row) credentials() uint32 { return schema.At(r.Proto().Common.Credentials, r.Index) }

// container is the beginning of its id, as docker ps shows it.
func (r row) container() string {
	cgroup := schema.At(r.Proto().Common.Cgroup, r.Index)
	if cgroup == 0 {
		return ""
	}
	id := string(r.Text(schema.At(r.Proto().Cgroups.ContainerId, int(cgroup-1))))
	return id[:min(len(id), 12)]
}

func (r row) clock() string { return r.Time(r.Index).Local().Format("15:04:05") }

// since is the time from the screen's beginning, as bcc's -t has it.
func (r row) since(start time.Time) string {
	return fmt.Sprintf("%.3f", max(0, r.Time(r.Index).Sub(start).Seconds()))
}

// address is one of the dictionary.
func (r row) address(index uint32) string {
	if a := r.Address(index); a.IsValid() {
		return a.String()
	}
	return "?"
}

func (r row) version(index uint32) string {
	if r.Address(index).Is4() {
		return "4"
	}
	return "6"
}

func milliseconds(us uint64) string { return fmt.Sprintf("%.2f", float64(us)/1000) }

func kilobytes(n uint64) string { return fmt.Sprint((n + 1023) / 1024) }

// errno names an error as errno(1) does; 0 is success.
func errno(n uint32) string {
	if n == 0 {
		return "0"
	}
	if name := unix.ErrnoName(syscall.Errno(n)); name != "" {
		return name
	}
	return fmt.Sprint(n)
}
