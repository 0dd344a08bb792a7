package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source is where Debian has a kernel.
type source struct {
	archive label
	suite   string
	names   string // a regular expression for apt-cache; the newest package of them is taken
}

// label is what the Release files of one of Debian's archives bear.
type label string

const (
	debian   label = "Debian"
	security label = "Debian-Security"
)

// mirror returns the address from which this machine's own apt has the archive, in whatever form its sources are
// written. An apt that has fetched no index yet knows of no label.
func (l label) mirror(ctx context.Context) (string, error) {
	known, err := output(ctx, "", "apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	return l.find(known)
}

// find returns the first address that follows the label in lines.
func (l label) find(known string) (string, error) {
	for line := range strings.Lines(known) {
		if found, address, _ := strings.Cut(strings.TrimSpace(line), " "); found == string(l) {
			return address, nil
		}
	}
	return "", fmt.Errorf("apt has no mirror of the archive %s: run apt-get update, or name one in /etc/apt/sources.list.d", l)
}

// tree is an apt of its own: it sees one suite of one architecture, and nothing of the system's.
type tree struct {
	dir  string
	arch string
}

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// open writes what apt is told, and fetches the suite's index.
func (t tree) open(ctx context.Context, from source) error {
	mirror, err := from.archive.mirror(ctx)
	if err != nil {
		return err
	}
	for _, dir := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(t.dir, dir), 0o755); err != nil {
			return err
		}
	}
	line := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, from.suite)
	if err := os.WriteFile(filepath.Join(t.dir, "sources.list"), []byte(line), 0o644); err != nil {
		return err
	}
	_, err = t.run(ctx, "apt-get", "update", "-q", "--error-on=any")
	return err
}

func (t tree) run(ctx context.Context, program string, args ...string) (string, error) {
	for _, option := range []string{
		"Dir::Etc::sourcelist=" + filepath.Join(t.dir, "sources.list"),
		"Dir::Etc::sourceparts=-",
		"Dir::State::lists=" + filepath.Join(t.dir, "lists"),
		"Dir::Cache=" + filepath.Join(t.dir, "cache"),
		"APT::Architecture=" + t.arch,
		"APT::Sandbox::User=root", // _apt may not write here
	} {
		args = append(args, "-o", option)
	}
	return output(ctx, t.dir, program, args...)
}

// download fetches the newest package, or the next newest where the archive has lost it, as happens with those of
// debian-security.
func (t tree) download(ctx context.Context, names string) (file string, err error) {
	found, err := t.run(ctx, "apt-cache", "search", "--names-only", names)
	if err != nil {
		return "", err
	}
	var errs []error
	for _, name := range newestFirst(found) {
		if _, err := t.run(ctx, "apt-get", "download", "-q", name); err != nil {
			errs = append(errs, err)
			continue
		}
		files, err := filepath.Glob(filepath.Join(t.dir, name+"_*.deb"))
		if err != nil || len(files) != 1 {
			return "", fmt.Errorf("apt-get download %s left %q", name, files)
		}
		return files[0], nil
	}
	return "", fmt.Errorf("no package %s can be had: %w", names, errors.Join(errs...))
}

var number = regexp.MustCompile(`[0-9]+`)

// newestFirst sorts the names in apt-cache's answer by the numbers in them.
func newestFirst(found string) (names []string) {
	for line := range strings.Lines(found) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(slices.Compare(numbers(b), numbers(a)), cmp.Compare(a, b)) })
	return names
}

func numbers(name string) (all []int) {
	for _, digits := range number.FindAllString(name, -1) {
		n, _ := strconv.Atoi(digits)
		all = append(all, n)
	}
	return all
}

// vmlinuz returns the kernel that a package holds: in boot/ up to 6.x, from 7.x on among the modules.
func vmlinuz(ctx context.Context, deb string) ([]byte, error) {
	dir := filepath.Join(filepath.Dir(deb), "files")
	if _, err := output(ctx, "", "dpkg-deb", "-x", deb, dir); err != nil {
		return nil, err
	}
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		if len(found) == 1 {
			return os.ReadFile(found[0])
		}
	}
	return nil, fmt.Errorf("%s holds no vmlinuz", deb)
}

// output runs a command and returns its standard output; the error has what it said.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}
