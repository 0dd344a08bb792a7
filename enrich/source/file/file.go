// Package file is the source of metadata that is a YAML file: a list of instances and one of deploys, as a
// person or a script writes them.
//
// The file is looked at once a second. A watch by inotify would save one system call a second and miss
// what people do: a Kubernetes ConfigMap swaps a symlink two directories up, editors and configuration
// management rename a new file over the old one, and NFS tells nothing.
package file

import (
	"context"
	"os"
	"time"

	"github.com/weirproject/weir/enrich/source"
	"github.com/weirproject/weir/internal/config"
)

// maxBytes bounds the file: some 100,000 hosts.
const maxBytes = 64 * config.MiB

// every is how often the file is looked at.
const every = time.Second

// File is a watched file.
type File struct{ path string }

// New returns the source that is the file at path. It is read by Run.
func New(path string) *File { return &File{path: path} }

// Name implements [source.Source].
func (f *File) Name() string { return "file " + f.path }

// Run implements [source.Source].
func (f *File) Run(ctx context.Context, w source.Watch) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var was look
	for {
		is := lookAt(f.path)
		if !is.same(was) {
			f.tell(is, w)
		}
		was = is
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (f *File) tell(is look, w source.Watch) {
	if is.err != nil {
		w.Failed(is.err)
		return
	}
	set, err := read(f.path)
	if err != nil {
		w.Failed(err)
		return
	}
	w.Update(set)
}

// look is what can be seen of a file without reading it. The zero look is before the first.
type look struct {
	info os.FileInfo
	err  error
}

func lookAt(path string) look {
	info, err := os.Stat(path)
	return look{info, err}
}

// same reports whether the file is the one that was there: what is written in place within one tick of
// the file system's clock, and without a change of size, would be missed.
func (l look) same(was look) bool {
	if l.err != nil || was.err != nil {
		return l.err != nil && was.err != nil && l.err.Error() == was.err.Error()
	}
	return was.info != nil && os.SameFile(l.info, was.info) && l.info.Size() == was.info.Size() && l.info.ModTime().Equal(was.info.ModTime())
}

func read(path string) (source.Set, error) {
	data, err := config.ReadFile(path, maxBytes)
	if err != nil {
		return source.Set{}, err
	}
	return Decode(path, data)
}
