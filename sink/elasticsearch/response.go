package elasticsearch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/sink"
)

const (
	// Bounds of what is read of an answer: the server tells an id, a status and perhaps an error a row.
	answerBytes    = 64 << 10
	answerRowBytes = 8 << 10
	// A reason is for people; servers put whole documents into it.
	reasonBytes = 1 << 10
)

// filterPath leaves out of the answer what is not read here.
const filterPath = "error,items.*._id,items.*.status,items.*.error,items.*.failure_store"

// readItems reads the answer to a _bulk request of the events ids, and gives one verdict each, in their
// order. It holds one item in memory. An error says nothing of any event.
func readItems(r io.Reader, ids []schema.EventID) ([]sink.Verdict, error) {
	bounded := &io.LimitedReader{R: r, N: answerBytes + int64(len(ids))*answerRowBytes}
	verdicts, err := itemsReader{json.NewDecoder(bounded), ids}.read()
	if err != nil && bounded.N <= 0 {
		return nil, fmt.Errorf("answer of _bulk is larger than %d events account for", len(ids))
	}
	if err != nil {
		return nil, fmt.Errorf("answer of _bulk: %w", err)
	}
	return verdicts, nil
}

type itemsReader struct {
	json *json.Decoder
	ids  []schema.EventID
}

func (r itemsReader) read() ([]sink.Verdict, error) {
	if err := r.delim('{'); err != nil {
		return nil, err
	}
	var verdicts []sink.Verdict
	for r.json.More() {
		key, err := r.json.Token()
		if err != nil {
			return nil, err
		}
		if key != "items" {
			var ignored json.RawMessage
			if err := r.json.Decode(&ignored); err != nil {
				return nil, err
			}
			continue
		}
		if verdicts != nil {
			return nil, errors.New("items come twice")
		}
		if verdicts, err = r.items(); err != nil {
			return nil, err
		}
	}
	if err := r.delim('}'); err != nil {
		return nil, err
	}
	if len(verdicts) != len(r.ids) {
		return nil, fmt.Errorf("%d items for %d events", len(verdicts), len(r.ids))
	}
	return verdicts, nil
}

func (r itemsReader) items() ([]sink.Verdict, error) {
	if err := r.delim('['); err != nil {
		return nil, err
	}
	verdicts := make([]sink.Verdict, 0, len(r.ids))
	for r.json.More() {
		var it struct{ Create *item }
		if err := r.json.Decode(&it); err != nil {
			return nil, err
		}
		n := len(verdicts)
		switch {
		case n == len(r.ids):
			return nil, fmt.Errorf("more items than the %d events", n)
		case it.Create == nil:
			return nil, fmt.Errorf("item %d is not of a create", n)
		case it.Create.ID != r.ids[n].String():
			return nil, fmt.Errorf("item %d is of event %.40q, not of %s", n, it.Create.ID, r.ids[n])
		}
		verdicts = append(verdicts, it.Create.verdict())
	}
	return verdicts, r.delim(']')
}

func (r itemsReader) delim(want json.Delim) error {
	got, err := r.json.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%.40q in place of %q", fmt.Sprint(got), want.String())
	}
	return nil
}

// item is what the server says of one event.
type item struct {
	ID           string   `json:"_id"`
	Status       int      `json:"status"`
	Error        *failure `json:"error"`
	FailureStore string   `json:"failure_store"` // Elasticsearch 8.19 and 9.1 on
}

func (it *item) verdict() sink.Verdict {
	switch {
	case it.FailureStore == "used":
		// The data stream does not have it: whoever searches would miss it.
		return sink.Verdict{State: sink.Refused, Reason: "the server put it into its failure store" + it.because()}
	case it.Status == 200 || it.Status == 201:
		return sink.Verdict{State: sink.Accepted}
	case it.Status == 409:
		return sink.Verdict{State: sink.Duplicate}
	case it.passing():
		return sink.Verdict{State: sink.Retry, Reason: fmt.Sprintf("status %d", it.Status) + it.because()}
	}
	return sink.Verdict{State: sink.Refused, Reason: fmt.Sprintf("status %d", it.Status) + it.because()}
}

// passing reports whether the fault is the server's or the configuration's, not the event's: a person or
// time can mend it, and then the same event is taken.
func (it *item) passing() bool {
	switch it.Status {
	case 401, 403, 404, 408, 429: // rights, blocked indices (full disk), a missing index, overload
		return true
	case 400:
		// The cluster has as many shards as it may have: said with 400 by both servers.
		return it.Error != nil && it.Error.Type == "validation_exception"
	}
	return it.Status < 400 || it.Status >= 500
}

func (it *item) because() string {
	if it.Error == nil {
		return ""
	}
	return ": " + it.Error.text()
}

// failure is an error as both servers tell it.
type failure struct {
	Type     string   `json:"type"`
	Reason   string   `json:"reason"`
	CausedBy *failure `json:"caused_by"`
}

// text is one line for people. The innermost cause says most.
func (f *failure) text() string {
	var s strings.Builder
	s.WriteString(cut(f.Type + ": " + f.Reason))
	for c := f.CausedBy; c != nil; c = c.CausedBy {
		if c.CausedBy == nil {
			s.WriteString(": " + cut(c.Type+": "+c.Reason))
		}
	}
	return s.String()
}

func cut(s string) string {
	if len(s) > reasonBytes {
		s = s[:reasonBytes] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
