package attach

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/weirproject/weir/bpf"
)

// Counts begins a new epoch of counting, and returns what was counted in those before, in the order of their keys:
// exactly, as it waits until no program runs that may still add to it. What it returns stays until DropCounts, and
// is returned again until then.
func (a *Attachment) Counts() ([]bpf.Counted, error) {
	epoch, err := a.nextEpoch()
	if err != nil {
		return nil, fmt.Errorf("begin an epoch of counting: %w", err)
	}
	var all []bpf.Counted
	var key bpf.CountKey
	var count bpf.Count
	for entries := a.objects.Maps[bpf.MapCounts].Iterate(); ; {
		if !entries.Next(&key, &count) {
			err = entries.Err()
			break
		}
		if key.Epoch != epoch {
			all = append(all, bpf.Counted{Key: key, Count: count})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	slices.SortFunc(all, func(a, b bpf.Counted) int { return a.Key.Compare(b.Key) })
	return all, nil
}

// nextEpoch returns the new epoch once nobody counts in an older one.
func (a *Attachment) nextEpoch() (uint32, error) {
	var epoch uint32
	variable := a.objects.Variables[bpf.VarCountEpoch]
	if err := variable.Get(&epoch); err != nil {
		return 0, err
	}
	epoch++
	if err := a.objects.Maps[bpf.MapCountedKeys].Put(epoch%bpf.Epochs, &bpf.EpochKeys{}); err != nil {
		return 0, err
	}
	if err := variable.Set(epoch); err != nil {
		return 0, err
	}
	return epoch, waitForPrograms()
}

// DropCounts forgets what has been told.
func (a *Attachment) DropCounts(counted []bpf.Counted) error {
	for _, c := range counted {
		if err := a.objects.Maps[bpf.MapCounts].Delete(&c.Key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("drop what was counted: %w", err)
		}
	}
	return nil
}
