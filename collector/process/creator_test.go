package process

import (
	"testing"

	"github.com/weirproject/weir/schema"
)

// Who wants to hide where a program comes from forks, lets the parent end, and execs.
func TestAnExecKeepsWhoMadeTheProcess(t *testing.T) {
	key := func(tgid schema.TGID, exec uint32) schema.ProcessKey {
		return schema.ProcessKey{TGID: tgid, Start: schema.BootTime(tgid), Exec: exec}
	}
	for name, test := range map[string]struct{ parent, creator, parentAtExec, want schema.ProcessKey }{
		"made by its parent":                  {parent: key(5, 1), parentAtExec: key(5, 1)},
		"made by its parent, which then exec": {parent: key(5, 1), parentAtExec: key(5, 2)},
		"made by a parent that has ended":     {parent: key(5, 1), parentAtExec: key(1, 1), want: key(5, 1)},
		"made with CLONE_PARENT":              {parent: key(1, 1), creator: key(5, 1), parentAtExec: key(1, 1), want: key(5, 1)},
	} {
		table := NewTable(1 << 20)
		table.Fork(Entry{Key: key(9, 1), Parent: test.parent, Creator: test.creator}, test.parent)
		table.Exec(Entry{Key: key(9, 2), Parent: test.parentAtExec}, 10)
		table.Exec(Entry{Key: key(9, 3), Parent: test.parentAtExec}, 11)
		if got, ok := table.Lookup(key(9, 3)); !ok || got.Creator != test.want {
			t.Errorf("%s: creator %v, want %v", name, got.Creator, test.want)
		}
	}
}
