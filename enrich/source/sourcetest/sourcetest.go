// Package sourcetest holds every source of metadata to the contract of source.Source.
package sourcetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/weirproject/weir/enrich/source"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Fixture is a source under test, and the ways to change what it says.
type Fixture struct {
	Source source.Source
	// Put makes the source say this, and only this.
	Put func(source.Set)
	// Break makes the source say something that makes no sense, each time something else.
	Break func()
}

// patience is how long a source may take to notice.
const patience = 10 * time.Second

// Test runs the suite. fixture makes a source that cannot be read yet.
func Test(t *testing.T, fixture func(t *testing.T) Fixture) {
	first, second := sets()
	tests := map[string]func(t *testing.T, f Fixture, w *watcher){
		"what it says is told": func(_ *testing.T, f Fixture, w *watcher) {
			f.Put(first)
			w.start()
			w.wantUpdate(first)
		},
		"what it says later is told later": func(_ *testing.T, f Fixture, w *watcher) {
			w.start()
			w.wantFailure()
			f.Put(first)
			w.wantUpdate(first)
		},
		"a change is told as a whole": func(_ *testing.T, f Fixture, w *watcher) {
			f.Put(first)
			w.start()
			w.wantUpdate(first)
			f.Put(second)
			w.wantUpdate(second)
		},
		"nonsense is told as a failure, and recovered from": func(_ *testing.T, f Fixture, w *watcher) {
			f.Put(first)
			w.start()
			w.wantUpdate(first)
			f.Break()
			w.wantFailure()
			f.Put(second)
			w.wantUpdate(second)
		},
		"it ends when its context does": func(t *testing.T, f Fixture, w *watcher) {
			f.Put(first)
			w.start()
			w.wantUpdate(first)
			if err := w.stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v, want the context's error", err)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := fixture(t)
			if f.Source.Name() == "" {
				t.Error("the source has no name")
			}
			test(t, f, newWatcher(t, f.Source))
		})
	}
}

func sets() (first, second source.Set) {
	first = source.Set{
		Instances: []*weirv1.Instance{{Id: "i-1", Hostname: "web", Group: "web", Tags: map[string]string{"owner": "ops"}}},
		Deploys:   []*weirv1.Deploy{{Id: "d-1", Group: "web", App: "shop", ValidFromUs: 1_000_000}},
	}
	second = source.Set{
		Instances: []*weirv1.Instance{{Id: "i-2", HostId: "aa", ValidFromUs: 1_000_000, ValidToUs: 2_000_000}},
	}
	return first, second
}

// watcher runs a source and collects what it tells.
type watcher struct {
	t        *testing.T
	source   source.Source
	updates  chan source.Set
	failures chan error
	cancel   context.CancelFunc
	ended    chan error
}

func newWatcher(t *testing.T, s source.Source) *watcher {
	return &watcher{
		t: t, source: s,
		updates: make(chan source.Set, 16), failures: make(chan error, 16), // more than a test makes
		ended: make(chan error, 1),
	}
}

func (w *watcher) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel = cancel
	go func() {
		w.ended <- w.source.Run(ctx, source.Watch{
			Update: func(s source.Set) { w.updates <- s },
			Failed: func(err error) { w.failures <- err },
		})
	}()
	w.t.Cleanup(cancel)
}

func (w *watcher) stop() error {
	w.cancel()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		return errors.New("it goes on")
	}
}

func (w *watcher) wantUpdate(want source.Set) {
	w.t.Helper()
	select {
	case got := <-w.updates:
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			w.t.Fatalf("update (-want +got):\n%s", diff)
		}
	case err := <-w.failures:
		w.t.Fatalf("a failure in place of an update: %v", err)
	case <-time.After(patience):
		w.t.Fatal("no update was told")
	}
}

func (w *watcher) wantFailure() {
	w.t.Helper()
	select {
	case err := <-w.failures:
		if err == nil {
			w.t.Fatal("a failure without an error")
		}
	case set := <-w.updates:
		w.t.Fatalf("an update in place of a failure: %v", set)
	case <-time.After(patience):
		w.t.Fatal("no failure was told")
	}
}
