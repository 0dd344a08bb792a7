package docgen

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTablesAreAlignedAndLeaveOutEmptyColumns(t *testing.T) {
	table := newTable("ECS", "Unit", "Meaning")
	table.add("`process.pid`", "", "a | b")
	table.add("`µ`", "", "")
	const want = "" +
		"| ECS           | Meaning |\n" +
		"| ------------- | --- |\n" +
		"| `process.pid` | a \\| b |\n" +
		"| `µ`           |  |\n"
	if diff := cmp.Diff(want, table.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNamesBecomeWords(t *testing.T) {
	if got := words("FORM_BOOT_TIME", "FORM_"); got != "boot time" {
		t.Error(got)
	}
	if got := anchor("process.exec_failed"); got != "processexec_failed" {
		t.Error(got)
	}
}
