package attach

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/weirproject/weir/schema"
)

// Remains is an attachment that was given up, as this build or configuration does not read its ring.
type Remains struct {
	Attachment schema.AttachmentID
	Progress   []byte            // as its last reader saved it
	Sent       map[string]uint64 // samples that were put into its ring, by kind
}

// takeRemains ends the attachments of other layouts that go by the same name.
func (p *pins) takeRemains() ([]Remains, error) {
	entries, err := os.ReadDir(filepath.Dir(p.dir))
	if err != nil {
		return nil, err
	}
	var all []Remains
	for _, e := range entries {
		dir := filepath.Join(filepath.Dir(p.dir), e.Name())
		if dir == p.dir {
			continue
		}
		r, err := remainsOf(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return all, fmt.Errorf("attachment of another layout in %s: %w", dir, err)
		}
		if err == nil {
			all = append(all, r)
		}
		if err := removePins(dir); err != nil {
			return all, err
		}
	}
	return all, nil
}

// remainsOf takes the programs off their hooks and reads what is left. It fails with fs.ErrNotExist where
// nothing was ever told from there.
func remainsOf(dir string) (r Remains, err error) {
	about, err := readAboutOf(dir)
	if err != nil {
		return r, err
	}
	if err := unhookAll(dir); err != nil {
		return r, err
	}
	progress, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinnedProgress), nil)
	if err != nil {
		return r, err
	}
	defer progress.Close()
	r.Attachment = about.Attachment
	if r.Progress, err = readText(progress); err != nil {
		return r, err
	}
	r.Sent, err = sentOf(dir, about)
	return r, err
}

// unhookAll removes the links, and returns when their programs run no more: whoever closes the last
// descriptor of a link whose pin is gone waits for its end.
func unhookAll(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, pinnedLink+"*"))
	if err != nil {
		return err
	}
	var links []link.Link
	for _, pin := range found {
		l, err := link.LoadPinnedLink(pin, nil)
		if err != nil {
			return err
		}
		links = append(links, l)
	}
	if err := removeMatching(dir, pinnedLink+"*"); err != nil {
		return err
	}
	return closeLinks(links)
}

// closeLinks closes links whose pins were just removed. The kernel gives up a removed pin's hold after a grace
// period (bpf_free_inode); the last hold is to be the descriptor, as only its end is waited for.
func closeLinks(links []link.Link) error {
	errs := []error{waitForPrograms()}
	for _, l := range links {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, waitForPrograms())...)
}

func sentOf(dir string, a about) (map[string]uint64, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, pinnedMap+"counters"), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	sums := make(map[string]uint64)
	for program := range m.MaxEntries() {
		var cpus [][]byte
		if err := m.Lookup(program, &cpus); err != nil {
			return nil, err
		}
		for _, counters := range cpus {
			if err := a.sent(counters, sums); err != nil {
				return nil, err
			}
		}
	}
	return sums, nil
}
