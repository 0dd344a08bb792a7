package ledger

import (
	"strconv"
	"strings"
	"unicode/utf8"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// column is one column of the rendered table.
type column struct {
	title string
	cell  func(Row) string
	// optional columns are left out where no row has anything but 0.
	optional bool
}

// String renders the table for a terminal or a pipe: a line a kind, numbers aligned, and no control codes. What
// rarely happens has a column only where it happened.
func (t Table) String() string {
	columns := t.columns()
	lines := make([][]string, len(t.Rows)+1)
	for _, c := range columns {
		cells := make([]string, 0, len(t.Rows))
		for _, r := range t.Rows {
			cells = append(cells, c.cell(r))
		}
		if c.optional && !happened(cells) {
			continue
		}
		lines[0] = append(lines[0], c.title)
		for i, cell := range cells {
			lines[i+1] = append(lines[i+1], cell)
		}
	}
	return align(lines)
}

func (t Table) columns() []column {
	columns := []column{
		{title: "kind", cell: func(r Row) string { return r.Kind }},
		hostColumn("seen", (*weirv1.KindSums).GetSeen),
		hostColumn("sent", (*weirv1.KindSums).GetSent),
		hostColumn("filtered", (*weirv1.KindSums).GetFiltered),
		hostColumn("counted", (*weirv1.KindSums).GetCounted),
		hostColumn("rate limited", (*weirv1.KindSums).GetRateLimited),
		hostColumn("ring full", (*weirv1.KindSums).GetRingFull),
		hostColumn("table full", (*weirv1.KindSums).GetTableFull),
		{title: "missed", cell: missed},
		rareHostColumn("absorbed", (*weirv1.KindSums).GetAbsorbed),
		rareHostColumn("in ring", (*weirv1.KindSums).GetInRing),
		hostColumn("batched", (*weirv1.KindSums).GetBatched),
		rareColumn("evicted", func(r Row) uint64 { return r.Gone }),
		rareColumn("lost", func(r Row) uint64 { return r.Lost }),
		{title: "received", cell: func(r Row) string { return number(r.Total) }},
	}
	for i, name := range t.Lanes {
		columns = append(columns, laneColumns(i, name)...)
	}
	return append(columns, column{title: "difference", cell: func(r Row) string { return number(t.Difference(r)) }})
}

// laneColumns are of the i-th lane. A duplicate is an event that the destination has.
func laneColumns(i int, name string) []column {
	return []column{
		{title: name, cell: func(r Row) string { return number(r.Lanes[i].Delivered) }},
		rareColumn(name+" had", func(r Row) uint64 { return r.Lanes[i].Duplicate }),
		rareColumn(name+" refused", func(r Row) uint64 { return r.Lanes[i].DeadLettered }),
		rareColumn(name+" left out", func(r Row) uint64 { return r.Lanes[i].Filtered }),
		rareColumn("before "+name, func(r Row) uint64 { return r.Lanes[i].Before }),
	}
}

func hostColumn(title string, get func(*weirv1.KindSums) uint64) column {
	return column{title: title, cell: func(r Row) string {
		if r.Sums == nil {
			return "-"
		}
		return number(get(r.Sums))
	}}
}

func rareHostColumn(title string, get func(*weirv1.KindSums) uint64) column {
	return rareColumn(title, func(r Row) uint64 { return get(r.Sums) })
}

func rareColumn(title string, get func(Row) uint64) column {
	return column{title: title, cell: func(r Row) string { return number(get(r)) }, optional: true}
}

// missed is what the kernel told, with a mark where it does not tell all.
func missed(r Row) string {
	switch {
	case r.Sums == nil:
		return "-"
	case r.Sums.GetMissedUnknown() && r.Sums.GetMissed() == 0:
		return "unknown"
	case r.Sums.GetMissedUnknown():
		return number(r.Sums.GetMissed()) + "+"
	default:
		return number(r.Sums.GetMissed())
	}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func happened(cells []string) bool {
	for _, cell := range cells {
		if cell != "0" {
			return true
		}
	}
	return false
}

// align sets the first column flush left and the others flush right, with two spaces between.
func align(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, line := range lines {
		for i, cell := range line {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				out.WriteString(cell + space)
			} else {
				out.WriteString("  " + space + cell)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}
