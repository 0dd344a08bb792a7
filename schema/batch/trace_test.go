package batch_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/weirproject/weir/schema/batch"
)

// traceFile is what a collector sealed while configure and make of jemalloc 5.3 ran on its host, with the default
// kinds; only that session is in it, under a host of its own: SealedBatch records as they were
// spooled, each behind its length as a varint, all in one zstd frame.
const traceFile = "testdata/trace.batches.zst"

// loadTrace returns the recorded trace.
func loadTrace(t testing.TB) []*batch.Batch {
	t.Helper()
	file, err := os.ReadFile(traceFile)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := readTrace(file)
	if err != nil {
		t.Fatalf("%s: %v", traceFile, err)
	}
	return batches
}

func readTrace(file []byte) ([]*batch.Batch, error) {
	inflated, err := zstd.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer inflated.Close()
	records := bufio.NewReader(inflated)
	var batches []*batch.Batch
	for {
		size, err := binary.ReadUvarint(records)
		if errors.Is(err, io.EOF) {
			return batches, nil
		}
		if err != nil {
			return nil, fmt.Errorf("length of record %d: %w", len(batches), err)
		}
		record := make([]byte, size)
		if _, err := io.ReadFull(records, record); err != nil {
			return nil, fmt.Errorf("record %d: %w", len(batches), err)
		}
		b, err := batch.Read(record, batch.DefaultReadLimits())
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", len(batches), err)
		}
		batches = append(batches, b)
	}
}

// writeTrace is readTrace's other side.
func writeTrace(records [][]byte) ([]byte, error) {
	var all []byte
	for _, record := range records {
		all = append(binary.AppendUvarint(all, uint64(len(record))), record...)
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(all, nil), nil
}

func TestATraceIsReadAsItWasWritten(t *testing.T) {
	var records [][]byte
	for _, s := range threeBatches(t) {
		records = append(records, s.Record)
	}
	file, err := writeTrace(records)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := readTrace(file)
	if err != nil || len(batches) != 3 || batches[2].Header().GetBatchNumber() != 3 {
		t.Errorf("%d batches, %v", len(batches), err)
	}
}
