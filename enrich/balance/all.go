package balance

import (
	"cmp"
	"context"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/ledger"
)

// Host is what is known of one host: its books, and what each lane has of it.
type Host struct {
	*weirv1.HostBalance
	Lanes []*weirv1.LaneBalance // in the order of their names
}

// Table returns the host's ledger from the hook to each sink, and the difference.
func (h Host) Table() ledger.Table { return ledger.TableOf(h.HostBalance, h.Lanes) }

// Is reports whether a person who writes name means the host: its hostname, or its id or the beginning
// of it.
func (h Host) Is(name string) bool {
	return h.GetHostname() == name || len(name) >= minPrefix && strings.HasPrefix(hex.EncodeToString(h.GetHostId()), strings.ToLower(name))
}

// minPrefix is the shortest beginning of an id that is taken for one.
const minPrefix = 4

// All reads the balances of every host, in the order of their names.
func All(ctx context.Context, client *kafka.Client, log *slog.Logger) ([]Host, error) {
	partitions, err := client.Partitions(ctx, kafka.Hosts)
	if err != nil {
		return nil, err
	}
	var all []Host
	for _, partition := range partitions {
		hosts, err := onPartition(ctx, client, partition, log)
		if err != nil {
			return nil, err
		}
		all = append(all, hosts...)
	}
	slices.SortFunc(all, func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.GetHostname(), b.GetHostname()), slices.Compare(a.GetHostId(), b.GetHostId()))
	})
	return all, nil
}

func onPartition(ctx context.Context, client *kafka.Client, partition int, log *slog.Logger) ([]Host, error) {
	values, err := last(ctx, client, partition, log, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	ofLanes := map[string][]byte{}
	maps.Copy(ofLanes, values)
	maps.DeleteFunc(ofLanes, func(key string, _ []byte) bool { return !isLane(key) })
	maps.DeleteFunc(values, func(key string, _ []byte) bool { return isLane(key) })

	lanes := map[string][]*weirv1.LaneBalance{}
	for _, l := range decode[weirv1.LaneBalance](ofLanes, log) {
		lanes[string(l.GetHostId())] = append(lanes[string(l.GetHostId())], l)
	}
	var all []Host
	for _, h := range decode[weirv1.HostBalance](values, log) {
		of := lanes[string(h.GetHostId())]
		slices.SortFunc(of, func(a, b *weirv1.LaneBalance) int { return cmp.Compare(a.GetLane(), b.GetLane()) })
		all = append(all, Host{h, of})
	}
	return all, nil
}
