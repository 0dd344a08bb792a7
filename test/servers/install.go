package servers

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// installation is one version of one server, in a directory of the cache.
type installation struct {
	name string // of the directory, with the version
	// dependencies are Maven coordinates (group:artifact:version), whose jars, with all that they need,
	// make a class path.
	dependencies []string
	// archive is the Maven coordinate (with :zip) of a distribution, which is unpacked instead.
	archive string
}

// complete is made when an installation has everything.
const complete = ".complete"

// install returns the installation's directory, filling it at its first use on this machine.
func (i installation) install(t T) string {
	t.Helper()
	dir := filepath.Join(cacheDir(t), i.name)
	if exists(filepath.Join(dir, complete)) {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatalf("servers: %v", err)
	}
	unlock := lock(t, dir+".lock") // packages are tested at the same time
	defer unlock()
	if exists(filepath.Join(dir, complete)) {
		return dir
	}
	t.Logf("servers: installing %s into %s", i.name, dir)
	start := time.Now()
	if err := i.fill(t, dir); err != nil {
		t.Fatalf("servers: install %s: %v", i.name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, complete), nil, 0o644); err != nil {
		t.Fatalf("servers: %v", err)
	}
	t.Logf("servers: installed %s in %.1f s", i.name, time.Since(start).Seconds())
	return dir
}

func (i installation) fill(t T, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		t.Fatalf("servers: %s is installed by Maven, which is missing: apt-get install -y maven openjdk-17-jdk-headless", i.name)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if i.archive != "" {
		return i.unpack(mvn, dir)
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(i.pom()), 0o644); err != nil {
		return err
	}
	return maven(mvn, dir, "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime")
}

// pom asks Maven for the dependencies.
func (i installation) pom() string {
	var list strings.Builder
	for _, d := range i.dependencies {
		part := strings.Split(d, ":")
		fmt.Fprintf(&list, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>", part[0], part[1], part[2])
	}
	return `<project><modelVersion>4.0.0</modelVersion><groupId>weir</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging><dependencies>` +
		list.String() + `</dependencies></project>`
}

func (i installation) unpack(mvn, dir string) error {
	if err := maven(mvn, dir, "dependency:copy", "-Dartifact="+i.archive, "-DoutputDirectory="+dir); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.zip"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("%s: Maven left %d archives in %s", i.archive, len(archives), dir)
	}
	if err := unzip(archives[0], dir); err != nil {
		return err
	}
	return os.Remove(archives[0])
}

func maven(mvn, dir string, args ...string) error {
	cmd := exec.Command(mvn, append([]string{"-q", "-B", "-ntp"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// unzip unpacks an archive without its first directory.
func unzip(archive, dir string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range r.File {
		_, name, _ := strings.Cut(f.Name, "/")
		if name == "" || f.FileInfo().IsDir() {
			continue
		}
		if err := extract(root, name, f); err != nil {
			return fmt.Errorf("%s: %s: %w", archive, f.Name, err)
		}
	}
	return nil
}

func extract(root *os.Root, name string, f *zip.File) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, f.Mode().Perm()|0o444)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// cacheDir is beside go.mod.
func cacheDir(t T) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if exists(filepath.Join(dir, "go.mod")) {
			return filepath.Join(dir, ".cache", "servers")
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatalf("servers: no go.mod above the working directory: %v", err)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func lock(t T, path string) (unlock func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatalf("servers: lock %s: %v", path, err)
	}
	return func() { f.Close() }
}
