package batch

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// decode undoes the columns' encodings and makes sure that everything fits: after it, no index leads out of
// its table, and no column has a length that is neither 0 nor its table's.
func (b *Batch) decode() error {
	if err := b.indexTexts(); err != nil {
		return err
	}
	sizes := &tableSizes{dictionary: len(b.texts)}
	if err := b.decodeTables(sizes); err != nil {
		return err
	}
	if err := b.decodeGroups(sizes); err != nil {
		return err
	}
	return b.indexRows()
}

// indexTexts finds where the dictionary's entries end.
func (b *Batch) indexTexts() error {
	d := b.proto.GetDictionary()
	b.texts = make([]uint32, len(d.GetSize()))
	end := uint64(0)
	for i, size := range d.GetSize() {
		end += uint64(size)
		if end > uint64(len(d.GetData())) {
			return fmt.Errorf("dictionary: entry %d ends behind the data: %w", i+1, ErrColumns)
		}
		b.texts[i] = uint32(end)
	}
	if end < uint64(len(d.GetData())) {
		return fmt.Errorf("dictionary: %d bytes behind the last entry: %w", uint64(len(d.GetData()))-end, ErrColumns)
	}
	return nil
}

// tableSizes are the rows of the tables that columns lead into.
type tableSizes struct {
	dictionary, processes, credentials, cgroups, rungs int
}

func (b *Batch) decodeTables(sizes *tableSizes) error {
	sizes.processes = len(b.proto.GetProcesses().GetTgid())
	sizes.credentials = len(b.proto.GetCredentials().GetUid())
	sizes.cgroups = len(b.proto.GetCgroups().GetId())
	sizes.rungs = len(b.proto.GetRungs().GetName())
	for t := range schema.Tables() {
		message, ok := t.In(b.proto)
		if !ok {
			continue
		}
		// The first column tells the table's rows: it is never left out.
		if err := b.decodeTable(t, message, t.Columns[0].Values(message).Len(), sizes); err != nil {
			return err
		}
	}
	return b.decodeSequence()
}

// decodeSequence makes numbers of Common.sequence, which is a column even where it was left out: then each
// sample's number is 1 more than the one before.
func (b *Batch) decodeSequence() error {
	c := b.proto.GetCommon()
	if len(c.GetKind()) == 0 {
		return nil
	}
	if len(c.GetSequence()) == 0 {
		c.Sequence = make([]int64, len(c.GetKind()))
	}
	var coder sequenceCoder
	if err := coder.decode(c.GetCpu(), c.GetSequence()); err != nil {
		return fmt.Errorf("column common.sequence: %v: %w", err, ErrColumns)
	}
	return nil
}

// decodeGroups decodes the column groups of the kinds that are known.
func (b *Batch) decodeGroups(sizes *tableSizes) error {
	for k := range schema.Kinds() {
		message, ok := k.In(b.proto)
		if !ok {
			continue
		}
		if err := b.decodeTable(&k.Table, message, b.rowsOf(k.Number), sizes); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) rowsOf(number uint32) int {
	for _, g := range b.Groups() {
		if g.GetNumber() == number {
			return int(g.GetRows())
		}
	}
	return 0
}

func (b *Batch) decodeTable(t *schema.Table, message proto.Message, rows int, sizes *tableSizes) error {
	for i := range t.Columns {
		c := &t.Columns[i]
		values := c.Values(message)
		if values.Len() == 0 {
			continue
		}
		if err := b.decodeColumn(c, values, rows, sizes); err != nil {
			return fmt.Errorf("column %s.%s: %v: %w", t.Name, c.Name, err, ErrColumns)
		}
	}
	return nil
}

func (b *Batch) decodeColumn(c *schema.Column, values schema.Values, rows int, sizes *tableSizes) error {
	if n := values.Len(); n != rows {
		return fmt.Errorf("%d values for %d rows", n, rows)
	}
	if c.Field.GetEncoding() == weirv1.Encoding_ENCODING_DELTA {
		if err := decodeDelta(values); err != nil {
			return err
		}
	}
	if entries, ok := sizes.of(c.Field.GetForm()); ok {
		if err := checkIndexes(values, entries); err != nil {
			return err
		}
	}
	if c.Field.GetForm() == weirv1.Form_FORM_ADDRESS {
		return b.checkAddresses(*values.Uint32)
	}
	return nil
}

// of returns the rows of the table that a form leads into.
func (s *tableSizes) of(form weirv1.Form) (entries int, ok bool) {
	switch form {
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_ADDRESS, weirv1.Form_FORM_DICTIONARY_ID:
		return s.dictionary, true
	case weirv1.Form_FORM_PROCESS:
		return s.processes, true
	case weirv1.Form_FORM_CREDENTIALS:
		return s.credentials, true
	case weirv1.Form_FORM_CGROUP:
		return s.cgroups, true
	case weirv1.Form_FORM_RUNG:
		return s.rungs, true
	default:
		return 0, false
	}
}

// checkIndexes makes sure that no index is above entries. Indexes start at 1, and 0 is none.
func checkIndexes(values schema.Values, entries int) error {
	if values.Uint32 != nil {
		return checkRange(*values.Uint32, entries)
	}
	return checkRange(*values.Int32, entries)
}

func checkRange[T int32 | uint32](column []T, entries int) error {
	for row, index := range column {
		if index < 0 || int64(index) > int64(entries) {
			return fmt.Errorf("row %d: index %d of %d entries", row, index, entries)
		}
	}
	return nil
}

func (b *Batch) checkAddresses(column []uint32) error {
	for row, index := range column {
		if n := len(b.Text(index)); index != 0 && n != 4 && n != 16 {
			return fmt.Errorf("row %d: an address of %d bytes", row, n)
		}
	}
	return nil
}

// indexRows finds each row's place in its group, and checks the groups' rows against Common.
func (b *Batch) indexRows() error {
	groups := b.Groups()
	known := make([]*schema.Kind, len(groups))
	next := make([]int, len(groups))
	byNumber := make(map[uint32]int, len(groups))
	for i, g := range groups {
		if _, twice := byNumber[g.GetNumber()]; twice {
			return fmt.Errorf("groups: %d is there twice: %w", g.GetNumber(), ErrColumns)
		}
		byNumber[g.GetNumber()] = i
		known[i], _ = schema.KindByNumber(g.GetNumber())
		if named, _ := schema.KindByName(g.GetKind()); named != known[i] {
			return fmt.Errorf("groups: %d is not %s: %w", g.GetNumber(), g.GetKind(), ErrColumns)
		}
	}
	b.rows = make([]Row, len(b.proto.GetCommon().GetKind()))
	for row, number := range b.proto.GetCommon().GetKind() {
		i, ok := byNumber[number]
		if !ok {
			return fmt.Errorf("column common.kind: row %d: no group %d: %w", row, number, ErrColumns)
		}
		b.rows[row] = Row{Index: row, Kind: known[i], GroupRow: next[i]}
		next[i]++
	}
	for i, g := range groups {
		if next[i] != int(g.GetRows()) {
			return fmt.Errorf("group %s: %d rows, %d in common.kind: %w", g.GetKind(), g.GetRows(), next[i], ErrColumns)
		}
	}
	return nil
}
