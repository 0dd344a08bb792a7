package collector

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

func TestARunGoesOnBehindTheLastBatchThatWasStored(t *testing.T) {
	run := schema.RunID{1}
	third := state{Run: run, Batch: 3, Position: 100, Kinds: map[string]done{"process.exec": {Batched: 10, Absorbed: 1}}}
	fourth := state{Run: run, Batch: 4, Position: 180, Kinds: map[string]done{"process.exec": {Batched: 15, Absorbed: 2}}}
	quiet := state{Run: run, Batch: 4, Position: 100, Kinds: map[string]done{"weir.loss": {Batched: 1}}}
	has := func(run schema.RunID, number uint64) batch.Sealed { return batch.Sealed{Run: run, Last: number} }

	for name, c := range map[string]struct {
		saved    progress
		last     batch.Sealed
		released uint64
		want     state
	}{
		"a new attachment":                               {},
		"killed before a batch was stored":               {progress{third, &fourth}, has(run, 3), 100, third},
		"killed before the ring was released":            {progress{third, &fourth}, has(run, 4), 100, fourth},
		"killed between two batches":                     {progress{third, &fourth}, has(run, 4), 180, fourth},
		"killed after what gave no batch":                {progress{Stored: fourth}, has(run, 4), 100, fourth},
		"the spool is gone, the ring was released":       {progress{third, &fourth}, has(run, 0), 180, fourth},
		"the spool is gone, the ring was not released":   {progress{third, &fourth}, has(run, 0), 100, third},
		"another run's batch with the same number":       {progress{third, &fourth}, has(schema.RunID{2}, 4), 100, third},
		"a batch of no samples, which releases nothing":  {progress{third, &quiet}, has(run, 3), 100, third},
		"a batch of no samples, which the spool has got": {progress{third, &quiet}, has(run, 4), 100, quiet},
	} {
		text, err := c.saved.encode()
		if err != nil {
			t.Fatal(err)
		}
		saved, err := decodeProgress(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, saved.resume(c.last, c.released)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
