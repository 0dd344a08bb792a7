// Package digest reads the files that processes run: their hashes and their file capabilities.
//
//	Find ──► lane small ──┐                         one goroutine each, on a thread of its own that alone
//	     ──► lane large ──┤                         has the capabilities to open the files, within its
//	     ──► lane foreign ┼──► results ──► Settle   share of two budgets: bytes, and CPU time
//	     ──► lane older ──┘
//
// Find and Settle never wait: where a lane's queue is full, the file says so. Small files do not wait behind large
// ones, new programs not behind those that ran before the collector, and no file behind those of file systems that
// users mounted, which may keep a reader for as long as they like.
package digest

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/weirproject/weir/collector/executable"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Config bounds what is read.
type Config struct {
	BytesPerSecond int64 // of all files
	MaxBytes       int64 // of one file
	Files          int   // that are remembered
	// Observe is called for each file that was asked for, when it is known what became of it.
	Observe func(weirv1.HashState)
	Log     *slog.Logger
}

const (
	queued = 1024 // files that wait in a lane at most: more than a machine runs when the collector starts
	share  = 512  // of them those of one user
	// smallBytes is what most executables have less than.
	smallBytes = 4 << 20
	// farewell is how long Run waits for a file system that does not answer. The process's end ends such a read.
	farewell = time.Second
)

// Digester implements fill.Files. Find and Settle are for one goroutine.
type Digester struct {
	cfg            Config
	cache          *executable.Cache
	small, large   *lane
	foreign, older *lane
	results        chan result
}

type job struct {
	sighting executable.Sighting
	file     *executable.File
}

type result struct {
	job
	found executable.File
}

// New returns a digester; Run makes it work.
func New(cfg Config) *Digester {
	if cfg.Observe == nil {
		cfg.Observe = func(weirv1.HashState) {}
	}
	// As many as a lane holds: a lane that finds it full waits for Settle, and nobody for the lane.
	results := make(chan result, queued)
	newLane := func(part float64) *lane { return newLane(cfg, part, results) }
	return &Digester{
		cfg:     cfg,
		cache:   executable.NewCache(cfg.Files),
		small:   newLane(1. / 2),
		large:   newLane(1. / 4),
		foreign: newLane(1. / 8),
		older:   newLane(1. / 8),
		results: results,
	}
}

// Find returns what is known of the file that was executed, and has it read where that is nothing.
func (d *Digester) Find(s executable.Sighting) *executable.File {
	file, wanted := d.cache.Find(&s)
	if !wanted {
		return file
	}
	s.Path = bytes.Clone(s.Path)
	if !d.laneOf(&s).push(job{s, file}) {
		d.settle(result{job{s, file}, executable.File{State: weirv1.HashState_HASH_STATE_OVER_BUDGET}})
	}
	return file
}

func (d *Digester) laneOf(s *executable.Sighting) *lane {
	switch {
	case s.UserMounted:
		return d.foreign
	case s.AtNs == 0:
		return d.older
	case s.Size <= smallBytes:
		return d.small
	default:
		return d.large
	}
}

// Settle writes into the files what the lanes have found.
func (d *Digester) Settle() {
	for {
		select {
		case r := <-d.results:
			d.settle(r)
		default:
			return
		}
	}
}

func (d *Digester) settle(r result) {
	d.cache.Settled(&r.sighting, r.file, r.found)
	d.cfg.Observe(r.file.State)
}

// Run reads files until ctx ends.
func (d *Digester) Run(ctx context.Context) error {
	var lanes sync.WaitGroup
	var once sync.Once // all lanes miss the same
	raised := func(err error) {
		if err != nil {
			once.Do(func() { d.cfg.Log.Warn("executables are read with what privileges there are", "error", err) })
		}
	}
	for _, l := range []*lane{d.small, d.large, d.foreign, d.older} {
		lanes.Go(func() { l.run(ctx, raised) })
	}
	ended := make(chan struct{})
	go func() { defer close(ended); lanes.Wait() }()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(farewell):
	}
	return nil
}
