package docgen

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// table is a Markdown table whose columns are aligned, all but the last. Columns without a value are left out.
type table struct {
	head []string
	rows [][]string
}

func newTable(head ...string) *table { return &table{head: head} }

func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) String() string {
	var out strings.Builder
	widths := t.widths()
	line := func(cells []string, fill string) {
		out.WriteString("|")
		for i, width := range widths {
			if width == 0 {
				continue
			}
			pad := max(width-utf8.RuneCountInString(cells[i]), 0)
			if i == len(widths)-1 {
				pad = 0
			}
			fmt.Fprintf(&out, " %s%s |", cells[i], strings.Repeat(fill, pad))
		}
		out.WriteString("\n")
	}
	line(t.head, " ")
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule, "-")
	for _, r := range t.rows {
		line(r, " ")
	}
	return out.String()
}

// widths returns the width of each column, 0 where no row has a value in it.
func (t *table) widths() []int {
	widths := make([]int, len(t.head))
	for _, r := range t.rows {
		for i, c := range r {
			if c != "" {
				widths[i] = max(widths[i], utf8.RuneCountInString(c), utf8.RuneCountInString(t.head[i]), 3)
			}
		}
	}
	return widths
}

// comment is the text above a message, field or value, on one line.
func comment(c protogen.CommentSet) string {
	return strings.Join(strings.Fields(string(c.Leading)), " ")
}

func firstSentence(s string) string {
	first, _, _ := strings.Cut(s, ". ")
	return strings.TrimSuffix(first, ".")
}

// words makes "boot time" of FORM_BOOT_TIME.
func words(name, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", " "))
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// anchor is what a heading is linked by.
func anchor(heading string) string { return strings.ReplaceAll(heading, ".", "") }

func number(n protoreflect.FieldNumber) string { return strconv.Itoa(int(n)) }

func ocsfClass(k *weirv1.Kind) string {
	if k.GetOcsfClass() == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", k.GetOcsfClass(), k.GetOcsfActivity())
}
