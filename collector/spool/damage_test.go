package spool

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/collector/spool/segment"
)

// filled returns a closed spool of six batches in two segments (1 to 3, 4 to 6).
func filled(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir() + "/spool"
	s := open(t, dir, smallOptions())
	r := newRun(t, 1)
	for range 6 {
		appendAll(t, s, r.seal(1, 20<<10))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// offsets returns where the entries of a segment begin.
func offsets(t testing.TB, dir, name string) (at []int64) {
	t.Helper()
	for l, err := range List(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Segment == name {
			at = append(at, l.Offset)
		}
	}
	return at
}

// overwrite changes bytes of a file.
func overwrite(t testing.TB, path string, offset int64, with string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(with), offset)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestDamage(t *testing.T) {
	const first, second = "00000001.segment", "00000002.segment"
	for _, tt := range []struct {
		name   string
		spoil  func(t *testing.T, dir string)
		want   []string // batches that are left
		losses []string
		log    string
	}{
		{
			name: "a write that was torn is cut off, and nothing is lost",
			spoil: func(t *testing.T, dir string) {
				at := offsets(t, dir, second)
				if err := os.Truncate(dir+"/"+second, at[2]+1000); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"1", "2", "3", "4", "5"},
			log:  "spool segment cut where its last write was torn",
		},
		{
			name: "a tail of zeros, as a power loss leaves it, is a loss",
			spoil: func(t *testing.T, dir string) {
				overwrite(t, dir+"/"+second, offsets(t, dir, second)[2]+500, strings.Repeat("\x00", 1000))
			},
			want:   []string{"1", "2", "3", "4", "5"},
			losses: []string{"segment 00000002: entries 6 to 6 are lost: byte 41"},
			log:    "spool segment cut where its last write was torn",
		},
		{
			name: "a flipped byte costs one batch",
			spoil: func(t *testing.T, dir string) {
				overwrite(t, dir+"/"+first, offsets(t, dir, first)[1]+500, "flip")
			},
			want:   []string{"1", "3", "4", "5", "6"},
			losses: []string{"segment 00000001: entries 2 to 2 are lost: byte 20"},
			log:    "entry 2: checksum of the entry",
		},
		{
			name: "an illegible head costs one batch",
			spoil: func(t *testing.T, dir string) {
				overwrite(t, dir+"/"+first, offsets(t, dir, first)[1]+8, "illegible")
			},
			want:   []string{"1", "3", "4", "5", "6"},
			losses: []string{"segment 00000001: entries 2 to 2 are lost: byte 20"},
			log:    "there is no entry",
		},
		{
			name: "a segment that is cut short costs its end",
			spoil: func(t *testing.T, dir string) {
				if err := os.Truncate(dir+"/"+first, offsets(t, dir, first)[1]+10); err != nil {
					t.Fatal(err)
				}
			},
			want:   []string{"1", "4", "5", "6"},
			losses: []string{"segment 00000001: entries 2 to 3 are lost: byte 20"},
			log:    "the entry is cut off",
		},
		{
			name:  "an illegible header costs nothing",
			spoil: func(t *testing.T, dir string) { overwrite(t, dir+"/"+first, 0, "illegible") },
			want:  []string{"1", "2", "3", "4", "5", "6"},
		},
		{
			name: "a segment that is gone is a loss, though nothing tells its size",
			spoil: func(t *testing.T, dir string) {
				if err := errors.Join(os.WriteFile(dir+"/acked", segment.AppendAck(nil, 0), 0o600), os.Remove(dir+"/"+first)); err != nil {
					t.Fatal(err)
				}
			},
			want:   []string{"4", "5", "6"},
			losses: []string{"segment 00000002: entries 1 to 3 are lost: they are not in the file"},
		},
		{
			name: "a segment of garbage is set aside",
			spoil: func(t *testing.T, dir string) {
				if err := os.WriteFile(dir+"/"+second, bytes.Repeat([]byte("wEnt garbage "), 1000), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"1", "2", "3"},
			log:  "renamed=00000002.segment.damaged",
		},
		{
			name: "a segment that was being made when its run died is removed",
			spoil: func(t *testing.T, dir string) {
				if err := os.WriteFile(dir+"/00000003.segment", []byte("weirs"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"1", "2", "3", "4", "5", "6"},
		},
		{
			name: "an illegible ack file has all sent again",
			spoil: func(t *testing.T, dir string) {
				if err := os.WriteFile(dir+"/acked", []byte("illegible"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"1", "2", "3", "4", "5", "6"},
			log:  "sends all of it again",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filled(t)
			tt.spoil(t, dir)
			o := smallOptions()
			var log *bytes.Buffer
			o.Log, log = logged()
			s := open(t, dir, o)
			if diff := cmp.Diff(tt.want, numbers(takeAll(t, s))); diff != "" {
				t.Error(diff)
			}
			losses := s.Losses()
			if len(losses) != len(tt.losses) {
				t.Fatalf("losses: %v", losses)
			}
			for i, l := range losses {
				if !strings.HasPrefix(l.Error(), tt.losses[i]) {
					t.Errorf("loss %q, want %q", l.Error(), tt.losses[i])
				}
			}
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log does not say %q:\n%s", tt.log, log)
			}
			// And the spool goes on.
			appendAll(t, s, newRun(t, 2).seal(1, 10))
			if got := numbers(takeAll(t, s)); !cmp.Equal(got, []string{"1"}) {
				t.Errorf("behind the damage: %v", got)
			}
		})
	}
}

// An eviction that was interrupted between its rename and its removals is finished at the next start.
func TestInterruptedEvictionIsFinished(t *testing.T) {
	dir := t.TempDir() + "/spool"
	s := open(t, dir, smallOptions())
	r := newRun(t, 1)
	for range 15 {
		appendAll(t, s, r.seal(1, 20<<10))
	}
	_ = s.Close()
	left, err := os.ReadFile(dir + "/00000001.segment")
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, smallOptions())
	for range 6 {
		appendAll(t, s, r.seal(1, 20<<10))
	}
	_ = s.Close()
	if _, err := os.Stat(dir + "/00000001.segment"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the first two segments did not become one: %v", err)
	}
	if err := errors.Join(os.WriteFile(dir+"/00000001.segment", left, 0o600), os.WriteFile(dir+"/"+tempFile, left, 0o600)); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, smallOptions())
	got := numbers(takeAll(t, s))
	if !strings.HasPrefix(got[0], "evicted 1-") || strings.HasPrefix(got[1], "evicted") || got[len(got)-1] != "21" {
		t.Errorf("taken: %v", got)
	}
	if losses := s.Losses(); len(losses) > 0 {
		t.Errorf("losses: %v", losses)
	}
}

func TestDamageInWhatIsEvictedIsTold(t *testing.T) {
	dir := filled(t)
	overwrite(t, dir+"/00000001.segment", offsets(t, dir, "00000001.segment")[1]+500, "flip")
	s := open(t, dir, smallOptions())
	r := newRun(t, 2)
	for range 12 {
		appendAll(t, s, r.seal(1, 20<<10))
	}
	if got := numbers(takeAll(t, s)); got[0] != "evicted 1-1" || !strings.HasPrefix(got[1], "evicted 3-") {
		t.Errorf("taken: %v", got)
	}
	if losses := s.Losses(); len(losses) != 1 || losses[0].First != 2 || losses[0].Entries() != 1 {
		t.Errorf("losses: %v", losses)
	}
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, dir string) error
		want string
	}{
		{"a symbolic link", func(t *testing.T, dir string) error { return os.Symlink(t.TempDir(), dir) }, "is a symbolic link; name the directory"},
		{"a link inside", func(t *testing.T, dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink("/etc/passwd", dir+"/00000001.segment"))
		}, "00000001.segment is a symbolic link; a spool holds none"},
		{"another owner", func(t *testing.T, dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 65534, -1))
		}, "belongs to uid 65534 and weir runs as uid 0; chown it"},
		{"another owner inside", func(t *testing.T, dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/acked", nil, 0o600), os.Chown(dir+"/acked", 65534, -1))
		}, "acked belongs to uid 65534"},
		{"open to others", func(t *testing.T, dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o750))
		}, "has mode 0750, open to others; chmod 0700 it"},
		{"a file", func(t *testing.T, dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		{"not writable", func(t *testing.T, dir string) error {
			err := errors.Join(os.Mkdir(dir, 0o700), unix.Mount("weir-test", dir, "tmpfs", unix.MS_RDONLY, "mode=0700"))
			t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
			return err
		}, "read-only file system; the directory must be writable for the collector"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "spool")
			if err := tt.make(t, dir); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, DefaultOptions())
			if err == nil || !strings.HasPrefix(err.Error(), "open spool "+dir) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestSecondProcessIsRefusedByName(t *testing.T) {
	dir := t.TempDir() + "/spool"
	open(t, dir, DefaultOptions())
	_, err := Open(dir, DefaultOptions())
	inUse, ok := errors.AsType[*InUseError](err)
	if !ok || inUse.PID != os.Getpid() || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d; stop it", os.Getpid())) {
		t.Errorf("error %v", err)
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	_, err := Open(t.TempDir(), Options{MaxBytes: 1, SegmentBytes: 2})
	if err == nil || !strings.Contains(err.Error(), "write 65536 or more") || !strings.Contains(err.Error(), "four segments or more") {
		t.Errorf("error %v", err)
	}
}

// FuzzOpen: whatever bytes lie in a segment, the spool opens, hands out what is whole, and goes on.
func FuzzOpen(f *testing.F) {
	dir := filled(f)
	whole, err := os.ReadFile(dir + "/00000001.segment")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:30<<10], []byte{}, []byte{1})
	f.Add([]byte("weirspl1"), whole[:segment.HeaderSize+10], segment.AppendAck(nil, 1<<63))
	r := newRun(f, 2)
	next := r.seal(1, 10)
	f.Fuzz(func(t *testing.T, first, last, ack []byte) {
		dir := t.TempDir() + "/spool"
		err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/00000001.segment", first, 0o600),
			os.WriteFile(dir+"/00000007.segment", last, 0o600), os.WriteFile(dir+"/acked", ack, 0o600))
		if err != nil {
			t.Fatal(err)
		}
		o := smallOptions()
		o.Log = slog.New(slog.DiscardHandler)
		s := open(t, dir, o)
		takeAll(t, s)
		appendAll(t, s, next)
		items := takeAll(t, s)
		if len(items) != 1 || items[0].Sealed.Hash != next.Hash {
			t.Errorf("behind it: %v", numbers(items))
		}
		if err := s.Ack(items[0].Number); err != nil {
			t.Error(err)
		}
	})
}
