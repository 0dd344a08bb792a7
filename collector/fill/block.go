package fill

import (
	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Io implements bpf.Handler.
func (f *Filler) Io(s *bpf.CountSample) {
	f.io(&s.Head, []bpf.Counted{{Key: s.Key, Count: s.Count}})
}

// io appends a row of one disk, operation and outcome. The kernel counts by the slots of both histograms at once.
func (f *Filler) io(head *bpf.Head, series []bpf.Counted) {
	if !f.begin(head) {
		return
	}
	var latency, size schema.Histogram
	var bytes, count uint64
	first := series[0].Count.FirstNs
	for i := range series {
		by, n := series[i].Key.Block(), &series[i].Count
		if by.NoLatency == 0 {
			latency[by.Latency%64] += n.Count
		}
		size[by.Size%64] += n.Count
		bytes += n.Amount
		count += n.Count
		first = min(first, n.FirstNs)
	}
	g, by := f.draft.Columns().BlockIo, series[0].Key.Block()
	g.Device = append(g.Device, by.Device)
	g.Operation = append(g.Operation, operations[by.Operation])
	g.Failed = append(g.Failed, by.Failed != 0)
	g.Latency = append(g.Latency, f.draft.Text(latency.Encode()))
	g.Size = append(g.Size, f.draft.Text(size.Encode()))
	g.Bytes = append(g.Bytes, bytes)
	g.Count = append(g.Count, count)
	g.FirstUs = append(g.FirstUs, int64(bootTime(first)))
}

// operations are those of enum req_op that have the same number on every kernel.
var operations = map[uint16]weirv1.BlockOperation{
	0:  weirv1.BlockOperation_BLOCK_OPERATION_READ,
	1:  weirv1.BlockOperation_BLOCK_OPERATION_WRITE,
	2:  weirv1.BlockOperation_BLOCK_OPERATION_FLUSH,
	3:  weirv1.BlockOperation_BLOCK_OPERATION_DISCARD,
	5:  weirv1.BlockOperation_BLOCK_OPERATION_SECURE_ERASE,
	9:  weirv1.BlockOperation_BLOCK_OPERATION_WRITE_ZEROES,
	34: weirv1.BlockOperation_BLOCK_OPERATION_DRIVER,
	35: weirv1.BlockOperation_BLOCK_OPERATION_DRIVER,
}
