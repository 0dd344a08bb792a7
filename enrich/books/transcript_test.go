package books

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// TestTranscripts plays the scenarios of testdata. A block is a command, more lines of it, "----", and what
// the books answer:
//
//	batch run=a n=3 process.exec=2    host h unless host=, offset one more unless offset=, hash of run, n and
//	                                  content=; previous= names another content of the batch before
//	ledger process.exec seen=5 …      the batch's ledger, a line a kind
//	ledger time=9 since=2 closing=1   of the whole of it; seconds since booted=
//	tombstone first=1 last=2 reason=… process.exec=4
//	tick now=200 since=0 silence=180  seconds
//	forget now=2000 after=1000        seconds
//	balance                           what weir.hosts would get
//	restart                           books from what weir.hosts has
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("transcripts: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, books: New()}
	var got []string
	for block := range strings.SplitSeq(strings.TrimRight(string(want), "\n"), "\n\n") {
		script, _, isCommand := strings.Cut(block, "\n----")
		if !isCommand {
			got = append(got, block)
			continue
		}
		got = append(got, strings.TrimRight(script+"\n----\n"+s.run(script), "\n"))
	}
	text := strings.Join(got, "\n\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), text); diff != "" && !*update {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}

// scene is one transcript in play.
type scene struct {
	t      *testing.T
	books  *Books
	offset int64
}

func (s *scene) run(script string) string {
	lines := slices.DeleteFunc(strings.Split(script, "\n"), func(l string) bool { return strings.HasPrefix(l, "#") })
	command, args := parse(s.t, lines[0])
	switch command {
	case "batch":
		return s.batch(args, lines[1:])
	case "tick":
		found := s.books.Tick(seconds(args.number("now")), seconds(args.number("since")), time.Duration(args.number("silence"))*time.Second)
		return show(Entry{Findings: found})
	case "forget":
		var lines []string
		for _, host := range s.books.Forget(seconds(args.number("now")), time.Duration(args.number("after"))*time.Second) {
			lines = append(lines, hostName(host[:]))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	case "balance":
		return showBalance(s.books.Balance(hostID("h")))
	case "restart":
		s.restart()
		return ""
	}
	s.t.Fatalf("no command %q", command)
	return ""
}

func (s *scene) batch(args arguments, more []string) string {
	run, number := args.word("run", "a"), args.number("n")
	content := args.word("content", "")
	b := Batch{
		Host: hostID(args.word("host", "h")), PublicKey: keyOf(args.word("key", args.word("host", "h"))), Run: runID(run), Boot: schema.BootID{1}, Number: number,
		Attachment: schema.AttachmentID(runID(args.word("attachment", "t"))),
		Hash:       hashOf(run, number, content), Stopped: args.kinds["weir.stopped"] > 0,
		Booted: seconds(args.number("booted")), SealedAt: seconds(args.number("at")), ReceivedAt: seconds(args.number("at")), Groups: args.groups(),
	}
	if number > 1 {
		b.Previous = hashOf(run, number-1, args.word("previous", ""))
	}
	for _, line := range more {
		command, args := parse(s.t, line)
		switch command {
		case "ledger":
			if b.Ledger == nil {
				b.Ledger = &weirv1.Ledger{}
			}
			if args.first != "" {
				b.Ledger.Kinds = append(b.Ledger.Kinds, args.sums())
				continue
			}
			b.Ledger.Closing = args.number("closing") == 1
			b.Ledger.TimeUs, b.Ledger.SinceUs = args.number("time")*1e6, args.number("since")*1e6
		case "tombstone":
			b.Tombstone = args.tombstone(run)
			b.Previous = [32]byte{}
			if first := b.Tombstone.First; first > 1 {
				b.Previous = hashOf(run, first-1, "")
			}
		default:
			s.t.Fatalf("a batch has no %q", command)
		}
	}
	s.offset++
	if o, ok := args.words["offset"]; ok {
		fmt.Sscan(o, &s.offset)
	}
	return show(s.books.Add(b, s.offset))
}

func (s *scene) restart() {
	next := New()
	for host := range s.books.hosts {
		record, err := proto.Marshal(s.books.Balance(host))
		var p weirv1.HostBalance
		if err == nil {
			err = proto.Unmarshal(record, &p)
		}
		if err == nil {
			err = next.Load(&p)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.books = next
}

// arguments are those of one line: "process.exec=3" is rows of a kind, everything else a word.
type arguments struct {
	t     *testing.T
	words map[string]string
	kinds map[string]uint64
	order []string
	first string
}

func parse(t *testing.T, line string) (command string, args arguments) {
	args = arguments{t: t, words: map[string]string{}, kinds: map[string]uint64{}}
	fields := strings.Fields(line)
	for _, f := range fields[1:] {
		name, value, named := strings.Cut(f, "=")
		switch {
		case !named:
			args.first = name
		case strings.Contains(name, "."):
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			args.kinds[name], args.order = n, append(args.order, name)
		default:
			args.words[name] = value
		}
	}
	return fields[0], args
}

func (a arguments) word(name, otherwise string) string {
	if w, ok := a.words[name]; ok {
		return w
	}
	return otherwise
}

func (a arguments) number(name string) uint64 {
	n, err := strconv.ParseUint(a.word(name, "0"), 10, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a arguments) groups() (list []*weirv1.Group) {
	for _, kind := range a.order {
		list = append(list, &weirv1.Group{Kind: kind, Rows: uint32(a.kinds[kind])})
	}
	return list
}

func (a arguments) sums() *weirv1.KindSums {
	sent := a.number("sent")
	return &weirv1.KindSums{
		Kind: a.first, Seen: max(a.number("seen"), sent), Sent: sent, InRing: a.number("in_ring"),
		Batched: a.number("batched"), RunBatched: a.number("run_batched"),
	}
}

func (a arguments) tombstone(run string) *weirv1.Tombstone {
	hash := hashOf(run, a.number("last"), "")
	return &weirv1.Tombstone{
		First: a.number("first"), Last: a.number("last"), LastHash: hash[:], Lost: a.groups(),
		Reason: strings.ReplaceAll(a.word("reason", "spool_full"), "_", " "),
	}
}

func seconds(n uint64) time.Time { return time.Unix(int64(n), 0).UTC() }

// keyOf stands for a public key: the books only ask whose it is.
func keyOf(name string) []byte { return []byte(name) }

func hostID(name string) schema.HostID { return schema.NewHostID(keyOf(name)) }

// hostName is the inverse of hostID, among the hosts of the transcripts.
func hostName(id []byte) string {
	for _, name := range []string{"h", "other", "gone"} {
		if host := hostID(name); string(host[:]) == string(id) {
			return name
		}
	}
	return "unknown"
}

func runID(name string) (id schema.RunID) { copy(id[:], name); return id }

func hashOf(run string, number uint64, content string) [32]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s", run, number, content))
}

func show(e Entry) string {
	var lines []string
	if e.Verdict != 0 {
		lines = append(lines, e.Verdict.String())
	}
	for _, f := range e.Findings {
		kind := strings.ToLower(strings.TrimPrefix(f.Kind.String(), "FINDING_"))
		lines = append(lines, fmt.Sprintf("%s %s/%s %d-%d: %s", kind, hostName(f.Host[:]), trim(f.Run[:]), f.Numbers.First, f.Numbers.Last, f.Detail))
	}
	for _, l := range e.Losses {
		lines = append(lines, fmt.Sprintf("loss %s %s=%d %s: %s", hostName(l.Host[:]), l.Kind, l.Events, l.Place, l.Detail))
	}
	return strings.Join(lines, "\n")
}

func showBalance(p *weirv1.HostBalance) string {
	lines := []string{fmt.Sprintf("offset %d received %v evicted %v duplicates %d findings %v silent %v",
		p.InputOffset, p.Received, p.Evicted, p.DuplicateBatches, p.Findings, p.Silent)}
	for _, r := range p.Runs {
		lines = append(lines, fmt.Sprintf("run %s: to %d, missing %v, received %v, lost %v, stopped %v",
			trim(r.RunId), r.BatchNumber, LoadNumbers(0, r.Missing).Missing, r.Received, r.Lost, r.Stopped))
	}
	return strings.Join(lines, "\n")
}

func trim(id []byte) string { return strings.TrimRight(string(id), "\x00") }

func TestTheClockThatWasLeastDelayedIsBelieved(t *testing.T) {
	var s skew
	for _, step := range []struct{ at, observed, want int }{
		{0, -5, -5}, {60, -1, -1}, {120, -90, -1}, // one that was spooled for long tells little
		{700, -80, -1}, {1300, -80, -80}, // the host's clock was set
		{9000, 30, 30},
	} {
		s.observe(time.Duration(step.observed)*time.Second, seconds(uint64(step.at+1)))
		if got := s.estimate(); got != time.Duration(step.want)*time.Second {
			t.Errorf("at %d: %s, want %ds", step.at, got, step.want)
		}
	}
}
