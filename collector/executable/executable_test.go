package executable

import (
	"testing"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

const ext4 = 0xef53

func sighting(inode uint64) *Sighting {
	return &Sighting{ID: ID{Device: 8, Inode: inode, Size: 10, ChangedNs: 1e9}, Filesystem: ext4, AtNs: 9e9}
}

func hashed() File { return File{SHA256: [32]byte{1}} }

func TestAFileIsReadOnce(t *testing.T) {
	c := NewCache(10)
	first, wanted := c.Find(sighting(1))
	second, again := c.Find(sighting(1))
	if first != second || !wanted || again || !first.Pending() {
		t.Fatalf("wanted %v and %v, the same: %v", wanted, again, first == second)
	}
	c.Settled(sighting(1), first, hashed())
	if second.Hash()[0] != 1 || second.Pending() {
		t.Errorf("%+v", second)
	}
}

func TestAChangedFileIsAnotherOne(t *testing.T) {
	c := NewCache(10)
	f, _ := c.Find(sighting(1))
	c.Settled(sighting(1), f, hashed())
	changed := sighting(1)
	changed.ChangedNs++
	if _, wanted := c.Find(changed); !wanted {
		t.Error("the old hash was taken for the new contents")
	}
}

func TestAFileThatWasChangedJustBeforeTheExecIsUnsettled(t *testing.T) {
	c := NewCache(10)
	s := sighting(1)
	s.AtNs = s.ChangedNs + 1e6
	f, _ := c.Find(s)
	c.Settled(s, f, hashed())
	if f.State != weirv1.HashState_HASH_STATE_UNSETTLED || f.Hash() == nil {
		t.Errorf("%v", f.State)
	}
	if _, wanted := c.Find(s); !wanted {
		t.Error("it was taken from the cache, though it may have changed without a new change time")
	}
}

func TestWhatCouldNotBeReadIsTriedAtTheNextExec(t *testing.T) {
	c := NewCache(10)
	f, _ := c.Find(sighting(1))
	c.Settled(sighting(1), f, File{State: weirv1.HashState_HASH_STATE_GONE})
	if _, wanted := c.Find(sighting(1)); !wanted || f.Hash() != nil {
		t.Error("it was not")
	}
}

func TestSubvolumesAreNotConfused(t *testing.T) {
	c := NewCache(10)
	s := sighting(1)
	s.Filesystem = btrfs
	f, _ := c.Find(s)
	c.Settled(s, f, hashed())
	if _, wanted := c.Find(s); !wanted {
		t.Error("an inode of btrfs was taken from the cache")
	}
}

func TestNetworkFileSystemsAreNotRead(t *testing.T) {
	for name, magic := range map[string]uint32{"nfs": 0x6969, "fuse": 0x65735546, "cifs": 0xff534d42, "9p": 0x01021997} {
		s := sighting(1)
		s.Filesystem = magic
		if f, wanted := NewCache(1).Find(s); wanted || f.State != weirv1.HashState_HASH_STATE_FILE_SYSTEM {
			t.Errorf("%s: wanted %v, %v", name, wanted, f.State)
		}
	}
}

func TestTheCacheForgetsWhatWasNotExecutedForLong(t *testing.T) {
	c := NewCache(3)
	for inode := range uint64(100) {
		c.Find(sighting(inode))
		c.Find(sighting(0))
	}
	if c.Len() != 3 || len(c.entries) != 3 {
		t.Errorf("%d files, want 3", c.Len())
	}
	if _, wanted := c.Find(sighting(0)); wanted {
		t.Error("what is executed all the time was forgotten")
	}
	if _, wanted := c.Find(sighting(50)); !wanted {
		t.Error("what was executed once is still there")
	}
}

func TestUsersTakeTurns(t *testing.T) {
	q := NewQueue[int](10, 4)
	for i := range 8 {
		if got, want := q.Push(1000, i), i < 4; got != want {
			t.Errorf("push %d: %v", i, got)
		}
	}
	q.Push(0, 100)
	var got []int
	for v, ok := q.Pop(); ok; v, ok = q.Pop() {
		got = append(got, v)
	}
	want := []int{0, 100, 1, 2, 3}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	if q.Push(1, 1); q.size != 1 || len(q.waiting) != 1 {
		t.Errorf("%d waiting of %d owners", q.size, len(q.waiting))
	}
}

func TestBudget(t *testing.T) {
	start := time.Unix(0, 0)
	b := NewBudget(100, start)
	if wait := b.Spend(400, start); wait != 0 {
		t.Errorf("what is saved up has to wait %s", wait)
	}
	if wait := b.Spend(100, start); wait != time.Second {
		t.Errorf("a second's worth has to wait %s", wait)
	}
	if wait := b.Spend(100, start.Add(time.Hour)); wait != 0 {
		t.Errorf("after a pause it has to wait %s", wait)
	}
	if b.left != 300 {
		t.Errorf("an hour saved up %v bytes", b.left+100)
	}
}
