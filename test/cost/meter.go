package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// meter reads what a watcher's processes take.
type meter struct {
	pids     []int
	programs map[ebpf.ProgramID]namedProgram
}

type namedProgram struct {
	*ebpf.Program
	name string
}

// reading is the meter's state at one moment.
type reading struct {
	cpu      time.Duration
	switches int // of context
	programs map[string]programReading
}

// programReading is what the kernel's statistics say of programs of one name.
type programReading struct {
	NS   int64
	Runs int64
}

// newMeter looks for the watcher's processes and the BPF programs that they hold.
func newMeter(roots []int) (*meter, error) {
	pids, err := tree(roots)
	if err != nil {
		return nil, err
	}
	m := &meter{pids: pids, programs: make(map[ebpf.ProgramID]namedProgram)}
	for _, pid := range pids {
		if err := m.findPrograms(pid); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	return m, nil
}

func (m *meter) close() (err error) {
	for _, p := range m.programs {
		err = errors.Join(err, p.Close())
	}
	return err
}

// findPrograms looks at what descriptors of programs and links say of themselves: others' programs on the same
// hooks are not the watcher's.
func (m *meter) findPrograms(pid int) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // closed meanwhile
		}
		id, ok := field(text, "prog_id:")
		if _, known := m.programs[ebpf.ProgramID(id)]; !ok || known {
			continue
		}
		program, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		if err != nil {
			return fmt.Errorf("program %d of process %d: %w", id, pid, err)
		}
		name, err := nameOf(program)
		if err != nil {
			return errors.Join(err, program.Close())
		}
		m.programs[ebpf.ProgramID(id)] = namedProgram{program, name}
	}
	return nil
}

// nameOf is the name of a program's function: the kernel keeps 15 bytes of the program's own.
func nameOf(p *ebpf.Program) (string, error) {
	info, err := p.Info()
	if err != nil {
		return "", err
	}
	if functions, err := info.FuncInfos(); err == nil && len(functions) > 0 {
		return functions[0].Func.Name, nil
	}
	return info.Name, nil
}

// field returns the number behind a name in one of /proc's texts.
func field(text []byte, name string) (n int, ok bool) {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) > 1 && fields[0] == name {
			n, err := strconv.Atoi(fields[1])
			return n, err == nil
		}
	}
	return 0, false
}

func (m *meter) read() (reading, error) {
	r := reading{programs: make(map[string]programReading)}
	for _, pid := range m.pids {
		used, err := cpuTime(pid)
		if err != nil {
			return reading{}, err
		}
		r.cpu += used
		r.switches += switches(pid)
	}
	for _, p := range m.programs {
		stats, err := p.Stats()
		if err != nil {
			return reading{}, err
		}
		sum := r.programs[p.name]
		sum.NS += stats.Runtime.Nanoseconds()
		sum.Runs += int64(stats.RunCount)
		r.programs[p.name] = sum
	}
	return r, nil
}

// since returns what was taken from before on.
func (r reading) since(before reading) reading {
	d := reading{cpu: r.cpu - before.cpu, switches: r.switches - before.switches, programs: make(map[string]programReading)}
	for name, p := range r.programs {
		was := before.programs[name]
		if runs := p.Runs - was.Runs; runs > 0 {
			d.programs[name] = programReading{NS: p.NS - was.NS, Runs: runs}
		}
	}
	return d
}

// cpuTime is that of all threads that a process has and had, in ns: clock_getcpuclockid(3), where /proc counts ticks.
func cpuTime(pid int) (time.Duration, error) {
	const schedClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

func switches(pid int) (sum int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread that ended took its count with it
		voluntary, _ := field(text, "voluntary_ctxt_switches:")
		other, _ := field(text, "nonvoluntary_ctxt_switches:")
		sum += voluntary + other
	}
	return sum
}

// resetPeak makes peak begin anew.
func (m *meter) resetPeak() {
	for _, pid := range m.pids {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // a kernel thread has none
	}
}

// peak is the most memory that the processes had resident since resetPeak.
func (m *meter) peak() (bytes int64) {
	for _, pid := range m.pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		kib, _ := field(text, "VmHWM:")
		bytes += int64(kib) << 10
	}
	return bytes
}

// tree returns the processes and all below them.
func tree(roots []int) ([]int, error) {
	children := make(map[int][]int)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		pid, parent := parentOf(string(text))
		children[parent] = append(children[parent], pid)
	}
	all := slices.Clone(roots)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// processNamed finds a process by its command's name.
func processNamed(name string) (pid int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && string(bytes.TrimSpace(text)) == name {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, fmt.Errorf("process %s: is not there", name)
}

// parentOf reads a line of /proc/PID/stat: the name in parentheses may hold anything.
func parentOf(stat string) (pid, parent int) {
	pid, _ = strconv.Atoi(stat[:max(0, strings.IndexByte(stat, ' '))])
	_, rest, _ := strings.Cut(stat[strings.LastIndexByte(stat, ')')+1:], " ")
	fields := strings.Fields(rest)
	if len(fields) > 1 {
		parent, _ = strconv.Atoi(fields[1])
	}
	return pid, parent
}

// countLines counts the lines of a file for which is holds, and its bytes.
func countLines(path string, is func(line []byte) bool) (lines int, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		line, err := r.ReadSlice('\n')
		size += int64(len(line))
		if is(line) {
			lines++
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return lines, size, nil
		}
	}
}
