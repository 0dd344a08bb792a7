// Package source brings metadata in: what a Source of instances and deploys is, and the Store that keeps
// what all of them say as one inventory.
//
//	file ─┐
//	 …   ─┼─ Watch.Update ─► Store ─► Inventory, made anew at each change
//	 …   ─┘  Watch.Failed ─► log, metric, health; what the source said before stays
//
// Store.Run has one goroutine a source. It knows nothing of batches.
package source

import (
	"context"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Set is everything that a source says at one time. Nobody changes what is in it.
type Set struct {
	Instances []*weirv1.Instance
	Deploys   []*weirv1.Deploy
}

// Watch is told what becomes of a source. Its functions are called by the goroutine that runs the source.
type Watch struct {
	// Update takes everything that the source says now, in place of what it said before.
	Update func(Set)
	// Failed takes why the source could not be read, or why what it said makes no sense. What it said
	// before stays. The same error is told once.
	Failed func(error)
}

// Source is a place that metadata comes from. sourcetest.Test holds it to this contract.
type Source interface {
	// Name is what logs, metrics and health call it, such as "file /etc/weir/inventory.yaml".
	Name() string
	// Run tells w what the source says: first as soon as that is known, then each time it has changed,
	// until ctx ends. A source that cannot be read is tried again for ever: the only error is ctx's.
	Run(ctx context.Context, w Watch) error
}
