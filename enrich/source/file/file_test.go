package file

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/weirproject/weir/enrich/source"
	"github.com/weirproject/weir/enrich/source/sourcetest"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestFileIsASource(t *testing.T) {
	sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
		path := filepath.Join(t.TempDir(), "inventory.yaml")
		return sourcetest.Fixture{
			Source: New(path),
			Put:    func(s source.Set) { replace(t, path, render(s)) },
			Break:  func() { replace(t, path, "instances: [{id: i-1, hostnam: web}]") },
		}
	})
}

// replace renames a new file over the old one, as editors do.
func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// render writes what the suite puts.
func render(s source.Set) string {
	var b strings.Builder
	key := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "    %s: %s\n", name, value)
		}
	}
	moment := func(us int64) string {
		if us == 0 {
			return ""
		}
		return time.UnixMicro(us).UTC().Format(time.RFC3339)
	}
	list := func(name string, entries int) {
		fmt.Fprintf(&b, "%s:%s\n", name, map[bool]string{true: " []"}[entries == 0])
	}
	list("instances", len(s.Instances))
	for _, i := range s.Instances {
		fmt.Fprintf(&b, "  - id: %s\n", i.Id)
		key("hostname", i.Hostname)
		key("host_id", i.HostId)
		key("group", i.Group)
		key("valid_from", moment(i.ValidFromUs))
		key("valid_to", moment(i.ValidToUs))
		for name, value := range i.Tags {
			key("tags", fmt.Sprintf("{%s: %s}", name, value))
		}
	}
	list("deploys", len(s.Deploys))
	for _, d := range s.Deploys {
		fmt.Fprintf(&b, "  - id: %s\n", d.Id)
		key("group", d.Group)
		key("app", d.App)
		key("valid_from", moment(d.ValidFromUs))
	}
	return b.String()
}

func TestDecodeTakesEveryKey(t *testing.T) {
	data, err := os.ReadFile("testdata/full.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode("full.good.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC).UnixMicro()
	want := source.Set{
		Instances: []*weirv1.Instance{{
			Id: "i-0abc", ValidFromUs: from, ValidToUs: from + 3600e6, HostId: "00ff00ff00ff00ff00ff00ff00ff00ff",
			MachineId: "5f0c", Hostname: "web-1", Account: "123456789012", Provider: "aws", Region: "eu-central-1",
			Zone: "eu-central-1a", Type: "m7i.large", Image: "ami-1", Addresses: []string{"192.0.2.1", "2001:db8::1"},
			LaunchTimeUs: from, Group: "web", Cluster: "prod", Node: "node-1", Tags: map[string]string{"owner": "shop"},
		}},
		Deploys: []*weirv1.Deploy{{
			Id: "d-1", ValidFromUs: from, ValidToUs: from + 3600e6, Group: "web", App: "shop", Stack: "prod", Cluster: "shop-prod",
			Version: "1.4.2", ImageDigest: "sha256:00", Commit: "deadbeef", Build: "77", Pipeline: "main", Who: "ada",
		}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
}

// TestFaultsAreNamed compares what is said of each bad file with the .txt beside it.
func TestFaultsAreNamed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("bad files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Decode("inventory.yaml", data)
			if err == nil {
				t.Fatal("it was taken")
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Decode("fuzz.yaml", data)
		if err != nil && len(set.Instances)+len(set.Deploys) > 0 {
			t.Error("a set and an error")
		}
	})
}
