package config

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample has a key of every form.
type sample struct {
	Name   string            `yaml:"name"`
	On     bool              `yaml:"on"`
	Count  int               `yaml:"count"`
	Port   uint16            `yaml:"port"`
	Share  float64           `yaml:"share"`
	Wait   time.Duration     `yaml:"wait"`
	Codec  codec             `yaml:"codec"`
	Listen netip.AddrPort    `yaml:"listen"`
	Nets   []netip.Prefix    `yaml:"nets"`
	Labels map[string]string `yaml:"labels"`
	Spool  spool             `yaml:"spool"`
	TLS    *tls              `yaml:"tls"`
	Sinks  map[string]lane   `yaml:"sinks"`
}

type spool struct {
	Dir      string `yaml:"dir"`
	MaxBytes Size   `yaml:"max_bytes"`
	limits   `yaml:",inline"`
}

type limits struct {
	Segment Size `yaml:"segment_bytes"`
}

func (s *spool) Validate() error {
	if s.Segment > s.MaxBytes {
		return Invalid("segment_bytes", "%s is more than max_bytes, which is %s", s.Segment, s.MaxBytes)
	}
	return nil
}

type tls struct {
	Key Secret `yaml:"key"`
}

func (t *tls) Validate() error {
	if t.Key.IsZero() {
		return Invalid("key", "is missing; write file:/absolute/path")
	}
	return nil
}

type codec string

func (codec) Words() []string { return []string{"none", "zstd"} }

// lane is a union: one key, which names a destination.
type lane struct {
	Type string
	File fileSink
}

type fileSink struct {
	Path string `yaml:"path"`
}

func (f *fileSink) Validate() error {
	if f.Path == "" {
		return Invalid("path", "is missing")
	}
	return nil
}

func (l *lane) DecodeConfig(n *Node) error {
	known := []string{"file", "stdout"}
	e, err := n.Only(known)
	if err != nil {
		return err
	}
	l.Type = e.Name
	switch e.Name {
	case "file":
		return e.Value.Decode(&l.File)
	case "stdout":
		return nil
	}
	return e.Unknown("destination", known)
}

func defaults() sample {
	return sample{Name: "weir", Wait: time.Second, Codec: "zstd", Nets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Spool: spool{Dir: "/var/lib/weir", MaxBytes: GiB, limits: limits{Segment: 16 * MiB}}}
}

func (s *sample) Validate() error {
	var errs []error
	if s.Count < 0 {
		errs = append(errs, Invalid("count", "%d is negative", s.Count))
	}
	for i, n := range s.Nets {
		if n.Bits() == 0 {
			errs = append(errs, Invalid(fmt.Sprintf("nets[%d]", i), "%s is everything", n))
		}
	}
	if s.Name == "" {
		errs = append(errs, errors.New("it has no name"))
	}
	return errors.Join(errs...)
}

func TestGoodFiles(t *testing.T) {
	everything := sample{Name: "1.10", On: true, Count: 7, Port: 65535, Share: 0.25, Wait: 90 * time.Second, Codec: "none",
		Listen: netip.MustParseAddrPort("[::1]:9273"), Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Labels: map[string]string{"team": "platform"}, Spool: spool{Dir: "/srv", MaxBytes: 5 * GiB, limits: limits{Segment: MiB}},
		TLS: &tls{Key: NewSecret("/etc/weir/key.pem")}, Sinks: map[string]lane{"siem": {Type: "file", File: fileSink{Path: "/srv/out"}}}}
	want := map[string]sample{"empty": defaults(), "comments": defaults(), "everything": everything}
	for name, want := range want {
		t.Run(name, func(t *testing.T) {
			got := defaults()
			if err := Load(filepath.Join("testdata", name+".good.yaml"), &got); err != nil {
				t.Fatal(err)
			}
			options := cmp.Options{cmp.AllowUnexported(spool{}), cmpopts.EquateComparable(netip.AddrPort{}, netip.Prefix{}, Secret{})}
			if diff := cmp.Diff(want, got, options); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".bad.yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := defaults()
			err = Decode(filepath.Base(file), data, &got)
			if err == nil {
				t.Fatal("taken without a fault")
			}
			if faults, ok := errors.AsType[Faults](err); !ok || len(faults) == 0 {
				t.Errorf("%T, want Faults", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".err", err.Error()+"\n")
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestAMissingFileIsSaidByName(t *testing.T) {
	cfg := defaults()
	err := Load("testdata/none.yaml", &cfg)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "testdata/none.yaml") {
		t.Error(err)
	}
}

func TestAFileBeyondTheBoundIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, make([]byte, MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := defaults()
	if err := Load(path, &cfg); err == nil || !strings.Contains(err.Error(), "larger than 1MiB") {
		t.Error(err)
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Load(path, &sample{}); err == nil || !strings.Contains(err.Error(), path+": is no regular file") {
		t.Errorf("error %v", err)
	}
}

func TestValidateWithoutAFileNamesTheKey(t *testing.T) {
	s := spool{MaxBytes: 1, limits: limits{Segment: 2}}
	if got, want := s.Validate().Error(), "segment_bytes: 2B is more than max_bytes, which is 1B"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := defaults()
		if err := Decode("fuzz.yaml", data, &cfg); err == nil && cfg.Spool.Segment > cfg.Spool.MaxBytes {
			t.Error("taken, although Validate refuses it")
		}
	})
}
