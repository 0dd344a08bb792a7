package elasticsearch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/sink"
)

// event returns the id of a test's event n, and its hexadecimal form.
func event(n byte) schema.EventID { return schema.EventID{15: n} }

func answerOf(items ...string) string {
	return `{"took":3,"errors":true,"items":[` + strings.Join(items, ",") + `]}`
}

func created(n byte, rest string) string {
	return fmt.Sprintf(`{"create":{"_index":"x","_id":%q,%s}}`, event(n), rest)
}

func TestVerdictFollowsFromStatusAndError(t *testing.T) {
	tests := map[string]struct {
		item string
		want sink.Verdict
	}{
		"created":        {`"status":201`, sink.Verdict{State: sink.Accepted}},
		"had it already": {`"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}`, sink.Verdict{State: sink.Duplicate}},
		"overloaded": {`"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue"}`,
			sink.Verdict{State: sink.Retry, Reason: "status 429: es_rejected_execution_exception: queue"}},
		"no shard yet": {`"status":503,"error":{"type":"unavailable_shards_exception","reason":"primary"}`,
			sink.Verdict{State: sink.Retry, Reason: "status 503: unavailable_shards_exception: primary"}},
		"disk full": {`"status":403,"error":{"type":"cluster_block_exception","reason":"read-only"}`,
			sink.Verdict{State: sink.Retry, Reason: "status 403: cluster_block_exception: read-only"}},
		"too many shards": {`"status":400,"error":{"type":"validation_exception","reason":"this action would add [2] shards"}`,
			sink.Verdict{State: sink.Retry, Reason: "status 400: validation_exception: this action would add [2] shards"}},
		"mapping": {`"status":400,"error":{"type":"document_parsing_exception","reason":"[1:7] failed","caused_by":{"type":"a","reason":"b","caused_by":{"type":"number_format_exception","reason":"no number"}}}`,
			sink.Verdict{State: sink.Refused, Reason: "status 400: document_parsing_exception: [1:7] failed: number_format_exception: no number"}},
		"failure store": {`"status":201,"failure_store":"used"`, sink.Verdict{State: sink.Refused, Reason: "the server put it into its failure store"}},
		"no status":     {`"x":1`, sink.Verdict{State: sink.Retry, Reason: "status 0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := readItems(strings.NewReader(answerOf(created(1, test.item))), []schema.EventID{event(1)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]sink.Verdict{test.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnAnswerThatDoesNotFitTheRequestIsNoVerdict(t *testing.T) {
	tests := map[string]struct{ answer, want string }{
		"empty":            {``, "EOF"},
		"not JSON":         {`<html>`, "invalid character"},
		"not an object":    {`[]`, `"[" in place of "{"`},
		"cut":              {answerOf(created(1, `"status":201`))[:60], "EOF"},
		"too few":          {answerOf(created(1, `"status":201`)), "1 items for 2 events"},
		"too many":         {answerOf(created(1, `"status":201`), created(2, `"status":201`), created(3, `"status":201`)), "more items than the 2 events"},
		"another order":    {answerOf(created(2, `"status":201`), created(1, `"status":201`)), "item 0 is of event"},
		"another action":   {answerOf(`{"index":{"status":201}}`), "item 0 is not of a create"},
		"items twice":      {`{"items":[` + created(1, `"status":201`) + `],"items":[]}`, "items come twice"},
		"items no list":    {`{"items":{}}`, `"{" in place of "["`},
		"status no number": {answerOf(created(1, `"status":"201"`)), "cannot unmarshal"},
		"without an end":   {`{"took":"` + strings.Repeat("x", 1<<20), "larger than 2 events account for"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readItems(strings.NewReader(test.answer), []schema.EventID{event(1), event(2)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestReasonsAreBoundedAndText(t *testing.T) {
	long := `"status":400,"error":{"type":"t","reason":"` + strings.Repeat("ö", 3000) + `"}`
	got, err := readItems(strings.NewReader(answerOf(created(1, long))), []schema.EventID{event(1)})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got[0].Reason); n > reasonBytes+32 || strings.Contains(got[0].Reason, "\uFFFD") {
		t.Errorf("reason of %d bytes: %q", n, got[0].Reason)
	}
}

// FuzzReadItems: no answer makes readItems panic, and what it gives is one verdict an event.
func FuzzReadItems(f *testing.F) {
	f.Add(answerOf(created(1, `"status":201`), created(2, `"status":409`)))
	f.Add(answerOf(created(1, `"status":400,"error":{"type":"t","reason":"r","caused_by":{"type":"c"}}`), created(2, `"status":201,"failure_store":"used"`)))
	f.Add(`{"error":{"type":"x","reason":"y"},"status":400}`)
	f.Add(`{"items":[{"create":null}]}`)
	f.Add(`{"items":null,"items":[]}`)
	f.Fuzz(func(t *testing.T, answer string) {
		verdicts, err := readItems(strings.NewReader(answer), []schema.EventID{event(1), event(2)})
		if err == nil && len(verdicts) != 2 {
			t.Errorf("%d verdicts for 2 events", len(verdicts))
		}
		for _, v := range verdicts {
			if v.State < sink.Accepted || v.State > sink.Refused {
				t.Errorf("state %d", v.State)
			}
		}
	})
}

func BenchmarkReadItems(b *testing.B) {
	ids := make([]schema.EventID, 1000)
	items := make([]string, len(ids))
	for i := range ids {
		ids[i] = schema.EventID{14: byte(i >> 8), 15: byte(i)}
		items[i] = fmt.Sprintf(`{"create":{"_id":%q,"status":201}}`, ids[i])
	}
	answer := answerOf(items...)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readItems(strings.NewReader(answer), ids); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(ids)), "ns/event")
}
