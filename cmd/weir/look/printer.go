package look

import (
	"fmt"
	"io"

	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Printer writes batches as rows of a table. It is not safe for concurrent use.
type Printer struct {
	table *cli.Table
}

// NewPrinter returns a printer on a terminal of so many columns; 0 is no terminal: then nothing is cut.
func NewPrinter(w io.Writer, width int) *Printer {
	return &Printer{table: cli.NewTable(w, width,
		cli.Column{Title: "TIME", Width: 12},
		cli.Column{Title: "KIND", Width: 15},
		cli.Column{Title: "PID", Width: 7, Right: true},
		cli.Column{Title: "PPID", Width: 7, Right: true},
		cli.Column{Title: "USER", Width: 8},
		cli.Column{Title: "EXECUTABLE", Width: 24, Path: true},
		cli.Column{Title: "WHAT HAPPENED", Width: 20},
	)}
}

// Header writes the columns' titles.
func (p *Printer) Header() error { return p.table.Header() }

// Batch writes a row an event, in ring order. Kinds that this version does not know are shown by number.
func (p *Printer) Batch(b *batch.Batch) error {
	for row := range b.Rows() {
		if err := p.table.Row(cells(b, row)...); err != nil {
			return err
		}
	}
	return nil
}

func cells(b *batch.Batch, row batch.Row) []string {
	common := b.Proto().Common
	process := uint32(schema.At(common.Process, row.Index))
	kind := fmt.Sprintf("kind %d", common.Kind[row.Index])
	what := ""
	if row.Kind != nil {
		kind, what = row.Kind.Name, describe(b, row)
	}
	return []string{
		b.Time(row.Index).Local().Format("15:04:05.000"),
		kind,
		id(TGID(b.Proto(), process)),
		id(TGID(b.Proto(), Parent(b, process))),
		User(b, schema.At(common.Credentials, row.Index)),
		executable(b, process),
		what,
	}
}

// id shows a process id; what is not known stays blank.
func id(tgid int32) string {
	if tgid == 0 {
		return ""
	}
	return fmt.Sprint(tgid)
}

// Parent is the entry of a process's parent.
func Parent(b *batch.Batch, process uint32) uint32 {
	if process == 0 {
		return 0
	}
	return uint32(schema.At(b.Proto().Processes.GetParent(), int(process-1)))
}

// User is the name of the effective user, or its id where it has none.
func User(b *batch.Batch, credentials uint32) string {
	if credentials == 0 {
		return ""
	}
	c, i := b.Proto().Credentials, int(credentials-1)
	if name := b.Text(schema.At(c.UserName, i)); len(name) > 0 {
		return string(name)
	}
	return fmt.Sprint(schema.At(c.Euid, i))
}

// executable falls back on the thread's name, in brackets as ps does.
func executable(b *batch.Batch, process uint32) string {
	if process == 0 {
		return ""
	}
	p, i := b.Proto().Processes, int(process-1)
	if path := b.Text(schema.At(p.Executable, i)); len(path) > 0 {
		return string(path)
	}
	if comm := b.Text(schema.At(p.Comm, i)); len(comm) > 0 {
		return "[" + string(comm) + "]"
	}
	return ""
}
