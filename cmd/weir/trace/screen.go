package trace

import (
	"bufio"
	"errors"
	"io"
	"time"

	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ecs"
)

// view is what a person looks at: what the flags leave of the batches, on a screen.
type view struct {
	filter *filter
	out    *bufio.Writer
	screen screen
	shown  uint64
}

func newView(o *options, env cli.Env) (*view, error) {
	f, err := o.filter()
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(env.Stdout)
	s, err := o.screen(out, cli.Width(env.Stdout))
	return &view{filter: f, out: out, screen: s}, err
}

// begin shows the titles: from then on everything is seen.
func (v *view) begin() error { return errors.Join(v.screen.header(), v.out.Flush()) }

func (v *view) batch(b *batch.Batch) error {
	for r := range b.Rows() {
		r := row{b, r}
		if !v.filter.passes(r) {
			continue
		}
		v.shown++
		if err := v.screen.row(r); err != nil {
			return err
		}
	}
	return v.out.Flush()
}

// screen is where rows go.
type screen interface {
	header() error
	row(row) error
}

// screen is a table on a terminal of so many columns; 0 is no terminal: then nothing is cut.
func (o *options) screen(w io.Writer, width int) (screen, error) {
	if o.json {
		encoder, err := ecs.New()
		return &documents{w: w, encoder: encoder}, err
	}
	t := &table{}
	start := time.Now()
	for _, c := range []struct {
		wanted bool
		column
	}{
		{o.clock, column{cli.Column{Title: "TIME", Width: 8}, row.clock}},
		{o.since, column{cli.Column{Title: "TIME(s)", Width: 9, Right: true}, func(r row) string { return r.since(start) }}},
		{o.showUser, column{cli.Column{Title: "USER", Width: 8}, row.user}},
		{o.showContainer, column{cli.Column{Title: "CONTAINER", Width: 12}, row.container}},
	} {
		if c.wanted {
			t.columns = append(t.columns, c.column)
		}
	}
	t.columns = append(t.columns, o.columns...)
	var titles []cli.Column
	for _, c := range t.columns {
		titles = append(titles, c.Column)
	}
	t.rows = cli.NewTable(w, width, titles...)
	t.cells = make([]string, len(t.columns))
	return t, nil
}

type table struct {
	rows    *cli.Table
	columns []column
	cells   []string
}

func (t *table) header() error { return t.rows.Header() }

func (t *table) row(r row) error {
	for i, c := range t.columns {
		t.cells[i] = c.cell(r)
	}
	return t.rows.Row(t.cells...)
}

// documents are those that a sink would get, but for what the enricher adds.
type documents struct {
	w       io.Writer
	encoder *ecs.Encoder
	made    *ecs.Documents
	of      *batch.Batch
	line    []byte
}

func (d *documents) header() error { return nil }

func (d *documents) row(r row) error {
	if d.of != r.Batch {
		if d.made != nil {
			d.made.Release()
		}
		d.of, d.made = r.Batch, d.encoder.Batch(r.Batch, nil)
	}
	d.line = append(d.made.Append(d.line[:0], r.Row), '\n')
	_, err := d.w.Write(d.line)
	return err
}
