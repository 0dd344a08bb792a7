package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopPatience is how long a watcher may take to end.
const stopPatience = 20 * time.Second

// process is a watcher's program. Its standard output and error are files.
type process struct {
	cmd  *exec.Cmd
	out  string
	log  string
	done chan struct{} // closed when it has ended
	err  error         // why, once done is closed
}

// start starts it as a process that gets no more attention than any other.
func (p *process) start(dir string, cmd *exec.Cmd) error {
	p.cmd, p.out, p.log, p.done = cmd, filepath.Join(dir, "out"), filepath.Join(dir, "log"), make(chan struct{})
	out, err := os.Create(p.out)
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = out, log
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return nil
}

func (p *process) processes() []int { return []int{p.cmd.Process.Pid} }

// ended returns why it has ended, or nil while it runs.
func (p *process) ended() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s: %s", filepath.Base(p.cmd.Path), p.why())
	default:
		return nil
	}
}

// why is the last that it said.
func (p *process) why() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return fmt.Sprint("ended: ", p.err)
}

// stop asks it to end.
func (p *process) stop() error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("%s: does not end", p.cmd.Path), p.cmd.Process.Kill())
	}
}
