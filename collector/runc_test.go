package collector

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A container is one that runc runs, with the program inside as its init.
type container struct {
	*exec.Cmd
	*testing.T
	id   string
	pid  int // of its init, here
	to   io.WriteCloser
	from *bufio.Scanner
}

// inside builds the program, which needs no other file beside it.
func inside(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inside")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./testdata/inside")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	return path
}

// newID makes an id as runtimes do.
func newID() string {
	var id [32]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// runContainer starts a container in the group that a runtime would give it.
func runContainer(t *testing.T, program, id, cgroup string) *container {
	t.Helper()
	if _, err := exec.LookPath("runc"); err != nil {
		t.Fatal("runc is missing: apt-get install -y runc")
	}
	bundle := t.TempDir()
	if err := os.Mkdir(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, program, filepath.Join(bundle, "rootfs", "inside"))
	for _, dir := range []string{"proc", "dev"} {
		if err := os.Mkdir(filepath.Join(bundle, "rootfs", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeSpec(t, bundle, cgroup)

	c := &container{Cmd: exec.Command("runc", "--root", filepath.Join(bundle, "state"), "run", "--bundle", bundle, id), T: t, id: id}
	var said bytes.Buffer
	c.Stderr = &said
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("runc: %s", said.String())
		}
	})
	c.start()
	c.readState(bundle)
	return c
}

func (c *container) start() {
	c.Helper()
	var err error
	if c.to, err = c.StdinPipe(); err != nil {
		c.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	if err := c.Start(); err != nil {
		c.Fatal(err)
	}
	c.from = bufio.NewScanner(out)
	c.Cleanup(func() { c.to.Close(); c.Wait() })
	c.do("nothing") // it runs
}

// readState takes runc's own word for which process is the container's.
func (c *container) readState(bundle string) {
	c.Helper()
	text, err := exec.Command("runc", "--root", filepath.Join(bundle, "state"), "state", c.id).Output()
	if err != nil {
		c.Fatal(err)
	}
	var state struct {
		ID  string
		PID int
	}
	if err := json.Unmarshal(text, &state); err != nil || state.ID != c.id {
		c.Fatalf("%s: %v", text, err)
	}
	c.pid = state.PID
}

func (c *container) do(format string, args ...any) {
	c.Helper()
	if _, err := fmt.Fprintf(c.to, format+"\n", args...); err != nil {
		c.Fatal(err)
	}
	if !c.from.Scan() || c.from.Text() != "done" {
		c.Fatalf("%s: %q, %v", fmt.Sprintf(format, args...), c.from.Text(), c.from.Err())
	}
}

func (c *container) leave() {
	c.Helper()
	c.to.Close()
	if err := c.Wait(); err != nil {
		c.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// writeSpec is the bundle's config.json. The network is the host's, so that loopback is up.
func writeSpec(t *testing.T, bundle, cgroup string) {
	t.Helper()
	var namespaces []map[string]string
	for _, kind := range []string{"pid", "mount", "ipc", "uts"} {
		namespaces = append(namespaces, map[string]string{"type": kind})
	}
	spec := map[string]any{
		"ociVersion": "1.0.2",
		"process":    map[string]any{"args": []string{"/inside"}, "cwd": "/", "user": map[string]int{"uid": 0, "gid": 0}},
		"root":       map[string]any{"path": "rootfs"},
		"mounts":     []map[string]string{{"destination": "/proc", "type": "proc", "source": "proc"}},
		"linux":      map[string]any{"cgroupsPath": cgroup, "namespaces": namespaces},
	}
	text, err := json.Marshal(spec)
	if err == nil {
		err = os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
