package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
)

// childDir makes the test binary a broker with data in this directory, which a test kills.
const childDir = "WEIR_BROKER_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		b, err := Start(context.Background(), options(dir, slog.New(slog.NewTextHandler(os.Stderr, nil))))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func options(dir string, log *slog.Logger) Options {
	return Options{Dir: dir, Topics: Topics(8 * config.MiB), Log: log}
}

func start(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := Start(t.Context(), options(dir, logTo(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func logTo(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func client(t *testing.T, address string) *kafka.Client {
	t.Helper()
	settings := kafka.Default()
	settings.Brokers = []string{address}
	c, err := kafka.Open(settings, logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func values(t *testing.T, c *kafka.Client, topic string) (all []string) {
	t.Helper()
	err := c.ReadAll(t.Context(), topic, 0, func(r kafka.Record) error {
		all = append(all, string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatWasAcknowledgedIsThereAfterKill9(t *testing.T) {
	dir := t.TempDir()
	var batches, hosts []string
	for round := range 3 {
		child, address := startChild(t, dir)
		c := client(t, address)
		for i := range 50 {
			value := fmt.Sprintf("%d.%d", round, i)
			err := c.Produce(t.Context(),
				kafka.Record{Topic: kafka.Batches, Value: []byte(value)},
				kafka.Record{Topic: kafka.Hosts, Key: []byte("the same"), Value: []byte(value)})
			if err != nil {
				t.Fatal(err)
			}
			batches, hosts = append(batches, value), append(hosts, value)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed, and says so
	}
	c := client(t, start(t, dir).Addr())
	if diff := cmp.Diff(batches, values(t, c, kafka.Batches)); diff != "" {
		t.Errorf("%s: %s", kafka.Batches, diff)
	}
	if diff := cmp.Diff(hosts, values(t, c, kafka.Hosts)); diff != "" {
		t.Errorf("%s: %s", kafka.Hosts, diff)
	}
}

func startChild(t *testing.T, dir string) (*exec.Cmd, string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the broker did not start: %v", err)
	}
	return child, strings.TrimSpace(address)
}

func TestTheDiskIsBounded(t *testing.T) {
	dir := t.TempDir()
	c := client(t, start(t, dir).Addr())
	value := make([]byte, 256<<10)
	for range 200 { // 50 MiB, of which 8 are kept
		if err := c.Produce(t.Context(), kafka.Record{Topic: kafka.Batches, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	const bound = 8<<20 + 2<<20 // what retention keeps, and the segment that is written to
	deadline := time.Now().Add(20 * time.Second)
	for used(t, dir) > bound {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes on disk, want at most %d", used(t, dir), bound)
		}
		time.Sleep(50 * time.Millisecond) // the cleaner runs once a second, and tells nobody
	}
	if got := len(values(t, c, kafka.Batches)); got < 20 || got > 40 {
		t.Errorf("%d records are left, want those of about 8 MiB", got)
	}
}

func used(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // the cleaner was here
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		bytes += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestADataDirectoryHasOneBroker(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	if _, err := Start(t.Context(), options(dir, logTo(t))); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrInUse with the directory's name", err)
	}
}

func TestAnotherBoundIsTakenUpByTheNextStart(t *testing.T) {
	dir := t.TempDir()
	if err := start(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	o := options(dir, logTo(t))
	o.Topics = Topics(32 * config.MiB)
	b, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	info := b.cluster.TopicInfo(kafka.Batches)
	if info == nil || info.Configs["retention.bytes"] == nil || *info.Configs["retention.bytes"] != fmt.Sprint(32<<20) {
		t.Errorf("retention.bytes is not %d: %+v", 32<<20, info)
	}
}

func TestItListensOnLoopbackAlone(t *testing.T) {
	if address := start(t, t.TempDir()).Addr(); !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("listens on %s", address)
	}
}

// BenchmarkProduce is one record at a time, acknowledged and synced: what the package's doc calls a
// millisecond or so.
func BenchmarkProduce(b *testing.B) {
	broker, err := Start(b.Context(), options(b.TempDir(), slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	settings := kafka.Default()
	settings.Brokers = []string{broker.Addr()}
	c, err := kafka.Open(settings, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	record := kafka.Record{Topic: kafka.Batches, Value: make([]byte, 32<<10)}
	b.SetBytes(int64(len(record.Value)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Produce(b.Context(), record); err != nil {
			b.Fatal(err)
		}
	}
}
