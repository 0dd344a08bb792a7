package kernel

import (
	"fmt"
	"io"
)

// archive writes an initrd: a cpio archive of the form "newc", as the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst has it. The first error stays.
type archive struct {
	w     io.Writer
	files uint32
	err   error
}

// Modes of what an initrd is made of.
const (
	modeDirectory = 0o040755
	modeProgram   = 0o100755
	modeTerminal  = 0o020600
)

func (a *archive) directory(name string) { a.add(name, modeDirectory, 0, 0, nil) }

func (a *archive) program(name string, data []byte) { a.add(name, modeProgram, 0, 0, data) }

// console is the device that init's standard output is.
func (a *archive) console() { a.add("dev/console", modeTerminal, 5, 1, nil) }

func (a *archive) close() error {
	a.files = 0
	a.add("TRAILER!!!", 0, 0, 0, nil)
	return a.err
}

func (a *archive) add(name string, mode, major, minor uint32, data []byte) {
	inode := a.files + 1
	a.files = inode
	const uid, gid, links, time, device = 0, 0, 1, 0, 0
	a.write([]byte("070701"))
	for _, n := range []uint32{inode, mode, uid, gid, links, time, uint32(len(data)), device, device, major, minor, uint32(len(name)) + 1, 0} {
		a.write(fmt.Appendf(nil, "%08X", n))
	}
	a.write(append([]byte(name), 0))
	a.pad(6 + 13*8 + len(name) + 1)
	a.write(data)
	a.pad(len(data))
}

// pad fills up to a multiple of four.
func (a *archive) pad(written int) { a.write(make([]byte, -written&3)) }

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
}
