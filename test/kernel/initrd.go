package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// tested are the packages whose tests run in the guest, by the names of their binaries.
var tested = map[string]string{
	"attach.test": "github.com/weirproject/weir/collector/attach",
	"bpf.test":    "github.com/weirproject/weir/bpf",
}

const guest = "github.com/weirproject/weir/test/kernel/guest"

// buildInitrd builds init and tests for an architecture, static, and returns the initrd that holds them.
func buildInitrd(ctx context.Context, arch, dir string) (path string, err error) {
	builds := [][]string{{"build", "-o", filepath.Join(dir, "init"), guest}}
	files := []string{"init"}
	for name, pkg := range tested {
		builds = append(builds, []string{"test", "-c", "-o", filepath.Join(dir, name), pkg})
		files = append(files, name)
	}
	for _, args := range builds {
		if err := build(ctx, arch, args); err != nil {
			return "", err
		}
	}
	path = filepath.Join(dir, "initrd")
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(pack(out, dir, files), out.Close())
}

func build(ctx context.Context, arch string, args []string) error {
	stripped := append([]string{args[0], "-trimpath", "-ldflags", "-s -w"}, args[1:]...)
	cmd := exec.CommandContext(ctx, "go", stripped...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v for %s: %w\n%s", args, arch, err, out)
	}
	return nil
}

func pack(out *os.File, dir string, files []string) error {
	a := archive{w: out}
	a.directory("dev")
	a.console()
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		a.program(name, data)
	}
	return a.close()
}
