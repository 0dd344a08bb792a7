package enrich

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

func TestBatchesAreEnrichedOnceAndGapsAreTold(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	first, second, third := h.batch(3), h.batch(2), h.batch(1)
	s.produce(first, first, third, third, second, second)
	s.play()
	want(t, "enriched", []string{"web/1-1 none", "web/3-3 none", "gap: gap 2-2", "web/2-2 none"}, s.enriched())
	b := s.balance(h)
	want(t, "duplicates", 3, b.GetDuplicateBatches())
	want(t, "received", map[string]uint64{"process.exit": 6}, b.GetReceived())
}

func TestWhatCannotBeReadIsPutAsideAndThePartitionGoesOn(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	first, second := h.batch(1), h.batch(1)
	garbage, forged := first, first
	garbage.Value = []byte("no batch")
	var sealed weirv1.SealedBatch
	if err := proto.Unmarshal(first.Value, &sealed); err != nil {
		t.Fatal(err)
	}
	sealed.Signature[0] ^= 1
	forged.Value, _ = proto.Marshal(&sealed)
	s.produce(first, garbage, forged, second)
	s.play()
	want(t, "enriched", []string{"web/1-1 none", "gap: bad_signature 0-0", "web/2-2 none"}, s.enriched())
	letters := s.deadLetters()
	if len(letters) != 2 {
		t.Fatalf("dead letters: %q", letters)
	}
	for i, reason := range []string{"malformed", "bad signature"} {
		if l := letters[i]; l[:8] != "enrich: " || !strings.Contains(l, reason) {
			t.Errorf("dead letter %q does not say %q", l, reason)
		}
	}
	want(t, "findings", map[uint32]uint64{uint32(weirv1.Finding_FINDING_BAD_SIGNATURE): 1}, s.balance(h).GetFindings())
}

// TestAnotherHostsKeyIsRefused has a host seal batches in another's name.
func TestAnotherHostsKeyIsRefused(t *testing.T) {
	s, h, thief := newStage(t), newHost(t, "web"), newHost(t, "thief")
	thief.draft, thief.id = newHost(t, "web").draft, h.id
	s.produce(h.batch(1), thief.batch(1), h.batch(1))
	s.play()
	want(t, "enriched", []string{"web/1-1 none", "gap: bad_signature 1-1", "web/2-2 none"}, s.enriched())
	want(t, "dead letters", 1, len(s.deadLetters()))
}

func TestTheNextEnricherGoesOnFromTheBalances(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	out := &memory{}
	s.deliver("siem", out)
	first, second := h.batch(3), h.batch(2)
	s.produce(first, second)
	s.play()
	s.produce(second, h.batch(1), h.stop())
	h.begin()
	s.produce(h.batch(4), h.stop())
	s.play()
	want(t, "enriched", []string{"web/1-1 none", "web/2-2 none", "web/3-3 none", "web/4-4 none", "web/1-1 none", "web/2-2 none"}, s.enriched())
	want(t, "rows at the sink", map[string]int{"web process.exit": 2 + 1 + 1 + 3, "web weir.stopped": 2}, out.counts())
	want(t, "rows that came again", 0, out.again)
	b := s.balance(h)
	want(t, "received", map[string]uint64{"process.exit": 10, "weir.stopped": 2}, b.GetReceived())
	want(t, "delivered", map[string]uint64{"process.exit": 7, "weir.stopped": 2}, b.Lanes[0].GetDelivered())
	want(t, "self tests left out", map[string]uint64{"process.exit": 3}, b.Lanes[0].GetFiltered())
	want(t, "difference", 0, b.Table().Sum())
}

// TestARedoHasTheSameIds plays a crash between weir.enriched and weir.hosts: all that was committed and
// balanced is lost, and done again.
func TestARedoHasTheSameIds(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	first, _, third := h.batch(1), h.batch(1), h.batch(1)
	s.produce(first, third)
	s.play()
	before := s.read(kafka.Enriched)
	again := emptyStage(t).withTopics()
	again.produce(first, third)
	again.play()
	after := again.read(kafka.Enriched)
	want(t, "records", len(before), len(after))
	for i := range before {
		ids, idsAgain := idsOf(t, before[i]), idsOf(t, after[i])
		want(t, "event ids", ids, idsAgain)
	}
	// And a lane that is given both takes each once.
	out := &memory{}
	s.deliver("siem", out)
	s.produce(after...)
	s.play()
	want(t, "rows at the sink", map[string]int{"web process.exit": 2, "enricher weir.gap": 1}, out.counts())
	want(t, "rows that came again", 0, out.again)
}

func TestADeadSinkStopsNoOther(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	dead, alive := &memory{dead: true}, &memory{}
	s.deliver("dead", dead)
	s.deliver("alive", alive)
	_, stop := s.start()
	s.produce(h.batch(1), h.batch(1))
	eventually(t, "the other sink has its rows", func() bool { return alive.counts()["web process.exit"] == 2 })
	stop()
	dead.dead = false
	s.play()
	want(t, "rows at the sink that was dead", map[string]int{"web process.exit": 2}, dead.counts())
	want(t, "rows that came again", 0, alive.again)
}

func TestRefusedRowsAreDeadLettersAndInTheBalance(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	out := &memory{refuse: func(kind string) bool { return kind == "process.exit" }}
	s.deliver("siem", out)
	s.produce(h.batch(1), h.stop())
	s.play()
	want(t, "rows at the sink", map[string]int{"web weir.stopped": 1}, out.counts())
	want(t, "dead letters", []string{"siem: no mapping"}, s.deadLetters())
	lane := s.balance(h).Lanes[0]
	want(t, "dead lettered", map[string]uint64{"process.exit": 1}, lane.GetDeadLettered())
	want(t, "difference", 0, s.balance(h).Table().Sum())
}

// TestASinkThatIsAddedLaterOwesNothing has retention take the first enriched batch before there is a sink.
func TestASinkThatIsAddedLaterOwesNothing(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	s.produce(h.batch(1), h.batch(1), h.batch(1))
	s.play()
	s.retain(kafka.Enriched, 1)
	out := &memory{}
	s.deliver("siem", out)
	s.play()
	s.produce(h.batch(1), h.stop())
	s.play()
	want(t, "rows at the sink", map[string]int{"web process.exit": 3, "web weir.stopped": 1}, out.counts())
	lane := s.balance(h).Lanes[0]
	want(t, "rows before the sink", map[string]uint64{"process.exit": 1}, lane.GetBefore())
	want(t, "difference", 0, s.balance(h).Table().Sum())
}

func TestKindsChooseWhatALaneIsFor(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	out := &memory{}
	s.deliver("siem", out)
	lane := s.config.Sinks.Lanes["siem"]
	lane.Kinds = append(lane.Kinds, "weir.*")
	s.config.Sinks.Lanes["siem"] = lane
	s.produce(h.batch(2), h.stop())
	s.play()
	want(t, "rows at the sink", map[string]int{"web weir.stopped": 1}, out.counts())
	want(t, "left out", map[string]uint64{"process.exit": 2}, s.balance(h).Lanes[0].GetFiltered())
}

func TestRowsAreJoinedAsOfTheirTime(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	path := filepath.Join(t.TempDir(), "inventory.yaml")
	err := os.WriteFile(path, []byte(`
instances:
  - id: i-1
    hostname: web
    group: web
  - id: i-1
    valid_from: 2026-11-24T08:00:02Z
    hostname: web
    group: web
    zone: b
deploys:
  - id: d-1
    group: web
    app: shop
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s.config.Inventory.Files = []string{path}
	s.produce(h.batch(4))
	s.play()
	want(t, "enriched", []string{"web/1-1 complete"}, s.enriched())
	var e weirv1.EnrichedBatch
	if err := proto.Unmarshal(s.read(kafka.Enriched)[0].Value, &e); err != nil {
		t.Fatal(err)
	}
	var spans [][3]uint32
	for _, span := range e.GetEnrichment().GetSpans() {
		spans = append(spans, [3]uint32{span.GetRows(), span.GetInstance(), span.GetDeploy()})
	}
	want(t, "spans", [][3]uint32{{2, 1, 1}, {2, 2, 1}}, spans)
	want(t, "zone", "b", e.GetEnrichment().GetInstances()[1].GetZone())
}

func TestAnInventoryThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	s.config.Inventory = Inventory{Files: []string{filepath.Join(t.TempDir(), "none.yaml")}, Wait: 10 * time.Millisecond}
	s.produce(h.batch(1))
	s.play()
	want(t, "enriched", []string{"web/1-1 late"}, s.enriched())
}

func TestASilentHostIsToldOnce(t *testing.T) {
	s, h, gone := newStage(t), newHost(t, "web"), newHost(t, "gone")
	s.config.Silence = 600 * time.Millisecond
	_, stop := s.start()
	s.produce(h.batch(1), gone.batch(1), gone.stop())
	silences := func() (n int) {
		for _, e := range s.enriched() {
			if e == "gap: silence 0-0" {
				n++
			}
		}
		return n
	}
	eventually(t, "the silence is told", func() bool { return silences() == 1 })
	eventually(t, "it is in the balance", func() bool { return s.balance(h).GetSilent() })
	stop()
	_, stop = s.start()
	s.produce(h.batch(1))
	eventually(t, "the next silence is told", func() bool { return silences() == 2 })
	stop()
	want(t, "silences of the host", uint64(2), s.balance(h).GetFindings()[uint32(weirv1.Finding_FINDING_SILENCE)])
	want(t, "silences of the one that stopped", 0, len(s.balance(gone).GetFindings()))
}

func TestWhatRetentionTookIsALoss(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	s.produce(h.batch(1))
	s.play()
	for range 4 {
		s.produce(h.batch(1))
	}
	s.retain(kafka.Batches, 3)
	s.play()
	want(t, "enriched", []string{"web/1-1 none", "loss: 0 topic", "web/4-4 none", "gap: gap 2-3", "web/5-5 none"}, s.enriched())
}

func TestEveryHostsBatchesStayOnTheirPartition(t *testing.T) {
	s := newStage(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.produce(newHost(t, name).batch(1))
	}
	s.play()
	where := map[string]int{}
	for _, r := range s.read(kafka.Batches) {
		where[string(r.Key)] = r.Partition
	}
	for _, topic := range []string{kafka.Enriched, kafka.Hosts} {
		for _, r := range s.read(topic) {
			if p, ok := where[string(r.Key)]; !ok || p != r.Partition {
				t.Errorf("%s: record of host %x is on partition %d, its batches on %d", topic, r.Key, r.Partition, p)
			}
		}
	}
	if len(where) != 5 {
		t.Errorf("%d hosts", len(where))
	}
}

// TestABatchThatItsTopicDoesNotTakeIsPutAside has a topic of enriched batches that is set up too small.
func TestABatchThatItsTopicDoesNotTakeIsPutAside(t *testing.T) {
	s, h := emptyStage(t), newHost(t, "web")
	t.Parallel()
	s.withTopics(func(topic *kafka.Topic) {
		if topic.Name == kafka.Enriched {
			topic.Config["max.message.bytes"] = "1200"
		}
	})
	large := bytes.Repeat([]byte("incompressible"), 1000)
	rand.NewChaCha8([32]byte{}).Read(large)
	h.draft.Text(large)
	s.produce(h.batch(1), h.batch(1), h.batch(1))
	s.play()
	want(t, "enriched", []string{"web/2-2 none", "web/3-3 none"}, s.enriched())
	letters := s.deadLetters()
	if len(letters) != 1 || !strings.Contains(letters[0], "larger than its topic takes") {
		t.Errorf("dead letters: %q", letters)
	}
}

// TestAnEnricherTakesOver has two enrichers share the partitions, and one go.
func TestAnEnricherTakesOver(t *testing.T) {
	s := newStage(t)
	out := &memory{}
	s.deliver("siem", out)
	var hosts []*machine
	produce := func() {
		for _, h := range hosts {
			s.produce(h.batch(1))
		}
	}
	for i := range 6 {
		hosts = append(hosts, newHost(t, fmt.Sprint("h", i)))
	}
	_, stop := s.start()
	produce()
	e, _ := s.start()
	for range 5 {
		produce()
	}
	stop()
	produce()
	s.drain(e)
	for _, h := range hosts {
		want(t, "rows of "+h.name, 7, out.counts()[h.name+" process.exit"])
		b := s.balance(h)
		want(t, "received", map[string]uint64{"process.exit": 7}, b.GetReceived())
		want(t, "findings", 0, len(b.GetFindings()))
		want(t, "difference", 0, b.Table().Sum())
	}
}
