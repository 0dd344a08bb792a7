package cli

import (
	"io"
	"unicode"
	"unicode/utf8"
)

// Column is one column of a [Table].
type Column struct {
	Title string
	Width int  // in terminal cells
	Right bool // align to the right, as numbers are
	Path  bool // what does not fit is cut at the front: a path's end says most
}

// Table writes rows one by one, as they come, in columns of fixed width. Cells are escaped. On a terminal
// what does not fit is cut and marked by an ellipsis, and the last column takes what is left of the line;
// elsewhere nothing is cut. It is not safe for concurrent use.
type Table struct {
	w       io.Writer
	columns []Column
	cut     bool
	line    []byte // one buffer for all rows: BenchmarkTableRow
	cell    []byte
}

// NewTable returns a table for a terminal of so many columns ([Width]); 0 is no terminal.
func NewTable(w io.Writer, width int, columns ...Column) *Table {
	t := &Table{w: w, columns: append([]Column(nil), columns...), cut: width > 0}
	if last := len(columns) - 1; t.cut && last >= 0 {
		left := width
		for _, c := range columns[:last] {
			left -= c.Width + len(separator)
		}
		t.columns[last].Width = max(left, columns[last].Width)
	}
	return t
}

const separator = "  "

// Header writes the columns' titles.
func (t *Table) Header() error {
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.Title
	}
	return t.Row(titles...)
}

// Row writes one row, with a cell a column.
func (t *Table) Row(cells ...string) error {
	t.line = t.line[:0]
	for i, c := range t.columns {
		if i > 0 {
			t.line = append(t.line, separator...)
		}
		t.cell = AppendEscaped(t.cell[:0], cells[i])
		t.appendCell(c, i == len(t.columns)-1)
	}
	t.line = append(t.line, '\n')
	_, err := t.w.Write(t.line)
	return err
}

func (t *Table) appendCell(c Column, last bool) {
	width := cellsOf(t.cell)
	if t.cut && width > c.Width {
		t.cell = c.truncate(t.cell)
		width = cellsOf(t.cell)
	}
	pad := max(0, c.Width-width)
	if c.Right {
		t.line = appendSpaces(t.line, pad)
	}
	t.line = append(t.line, t.cell...)
	if !c.Right && !last {
		t.line = appendSpaces(t.line, pad)
	}
}

// truncate cuts text to the column's cells, of which one is an ellipsis.
func (c Column) truncate(text []byte) []byte {
	if c.Path {
		return truncateFront(text, c.Width)
	}
	return truncateEnd(text, c.Width)
}

func truncateFront(text []byte, width int) []byte {
	rest, used := text, cellsOf(text)
	for used > width-1 {
		r, size := utf8.DecodeRune(rest)
		rest, used = rest[size:], used-runeCells(r)
	}
	return append([]byte("…"), rest...)
}

func truncateEnd(text []byte, width int) []byte {
	used := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if used+runeCells(r) > width-1 {
			return append(text[:i], "…"...)
		}
		used += runeCells(r)
		i += size
	}
	return text
}

func appendSpaces(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ' ')
	}
	return dst
}

// cellsOf counts the terminal cells that text takes.
func cellsOf(text []byte) int {
	n := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		n += runeCells(r)
		i += size
	}
	return n
}

// runeCells says how wide terminals draw a character: 0 for combining marks, 2 for East Asian scripts and
// emoji. It is near enough for names and paths; Unicode's own table (UAX 11) is not in Go's library.
func runeCells(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana), r >= 0x1f300 && r <= 0x1faff, r >= 0xff01 && r <= 0xff60:
		return 2
	}
	return 1
}
