package attach

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/schema"
)

// openPins looks for an attachment of this name, and ends those that this process does not read. That nothing
// can be pinned here is no error; that another process has the name is one.
func (a *Attachment) openPins(cfg Config) error {
	rand.Read(a.id[:])
	if cfg.Name == "" {
		return nil
	}
	opened, err := openPins(cfg)
	if inUse, ok := errors.AsType[*InUseError](err); ok {
		return inUse
	}
	if err != nil {
		warnUnpinned(cfg.Log, err)
		return nil
	}
	a.pins = opened
	if opened.found {
		a.id, a.since = opened.about.Attachment, opened.about.Since
	}
	a.formers, err = opened.formers(cfg.Log)
	return err
}

func warnUnpinned(log *slog.Logger, err error) {
	log.Warn("hooks end with this process: a crash loses what the ring holds, and a restart what happens meanwhile", "error", err)
}

// keep pins the attachment, before it is given anything to tell.
func (a *Attachment) keep(log *slog.Logger) {
	if a.pins == nil {
		return
	}
	err := a.pins.pin(a.objects, a.order, a.about())
	if err == nil {
		return
	}
	warnUnpinned(log, err)
	if !a.pins.found {
		if err := errors.Join(a.pins.end(), a.pins.close()); err != nil {
			log.Warn("pins are left behind", "directory", a.pins.dir, "error", err)
		}
		a.pins = nil
	}
}

// begin notes when the attachment's programs had been told what to give, where that is not known yet.
func (a *Attachment) begin() error {
	if a.since != 0 {
		return nil
	}
	a.since = host.Now()
	if a.pins == nil {
		return nil
	}
	return a.pins.tell(a.about())
}

// Since is the moment from which on the attachment has told everything that it saw.
func (a *Attachment) Since() schema.BootTime { return a.since }

// ID names the attachment; a pinned one keeps its id from run to run.
func (a *Attachment) ID() schema.AttachmentID { return a.id }

// Resumed reports whether New found the attachment, instead of making it.
func (a *Attachment) Resumed() bool { return a.pins != nil && a.pins.found }

// Kept reports whether the attachment outlives this process, if it is not ended.
func (a *Attachment) Kept() bool { return a.pins != nil }

// Formers are the attachments of the same name that other builds or configurations have made. Their hooks are still
// attached: an event of now is told by them and by this attachment, until they are detached.
func (a *Attachment) Formers() []*Former { return a.formers }

// Progress returns what SetProgress kept last, be it in an earlier process; nothing, where the attachment is new.
func (a *Attachment) Progress() ([]byte, error) {
	if a.pins == nil {
		return nil, nil
	}
	text, err := readText(a.pins.progress)
	if err != nil {
		return nil, fmt.Errorf("read progress: %w", err)
	}
	return text, nil
}

// SetProgress keeps a text, of at most some 32 KB, as long as the attachment lives. Killed within it, the process
// has kept either the one before or this one.
func (a *Attachment) SetProgress(text []byte) error {
	if a.pins == nil {
		return nil
	}
	if err := writeText(a.pins.progress, text); err != nil {
		return fmt.Errorf("save progress: %w", err)
	}
	return nil
}

// End removes what is pinned, so that Close ends the attachment.
func (a *Attachment) End() error {
	if err := a.pins.end(); err != nil {
		return fmt.Errorf("end attachment %s: %w", a.id, err)
	}
	return nil
}
