package up

import (
	"testing"
	"time"
)

func TestWhatIsNoDirectoryAndNoTimeIsRefused(t *testing.T) {
	for _, o := range []options{{data: ""}, {data: "d", duration: -time.Second}} {
		if err := o.check(); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if err := (&options{data: "d", duration: time.Second}).check(); err != nil {
		t.Error(err)
	}
}

func TestEverythingLiesBeneathTheDataDirectory(t *testing.T) {
	p, err := options{data: "relative"}.paths()
	if err != nil {
		t.Fatal(err)
	}
	want := paths{
		root:      p.root,
		collector: p.root + "/collector",
		broker:    p.root + "/broker",
		enrich:    p.root + "/enrich",
		events:    p.root + "/events",
		inventory: p.root + "/inventory.yaml",
	}
	if p != want || p.root[0] != '/' {
		t.Errorf("paths %+v", p)
	}
}
