package schema_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

func TestEveryKindHasAVariable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "kind.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, s := range g.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					declared[name.Name] = true
				}
			}
		}
	}
	for k := range schema.Kinds() {
		name := string(k.New().ProtoReflect().Descriptor().Name())
		if !declared[name] {
			t.Errorf("kind %s: kind.go wants the line: %s = kindOf(&weirv1.%s{})", k, name, name)
		}
	}
	for table := range schema.Tables() {
		name := string(table.New().ProtoReflect().Descriptor().Name())
		if !declared[name] {
			t.Errorf("table %s: kind.go wants the line: %s = tableOf(&weirv1.%s{})", table.Name, name, name)
		}
	}
}

func TestAKindsNameFollowsFromItsMessage(t *testing.T) {
	for k := range schema.Kinds() {
		noun, verb, ok := strings.Cut(k.Name, ".")
		if !ok || strings.Contains(verb, ".") {
			t.Errorf("%s: a kind is noun.verb, with exactly one dot", k)
		}
		if want := noun + "_" + verb; k.Table.Name != want {
			t.Errorf("%s: its field in Batch is %s, not %s", k, k.Table.Name, want)
		}
		if k.Options.GetOrigin() == weirv1.Origin_ORIGIN_UNSPECIFIED || k.Options.GetAction() == "" {
			t.Errorf("%s: origin and action are missing", k)
		}
	}
}

func TestKindsAreFoundByNameAndNumber(t *testing.T) {
	for k := range schema.Kinds() {
		if found, ok := schema.KindByName(k.Name); !ok || found != k {
			t.Errorf("KindByName(%q) = %v, %v", k.Name, found, ok)
		}
		if found, ok := schema.KindByNumber(k.Number); !ok || found != k {
			t.Errorf("KindByNumber(%d) = %v, %v", k.Number, found, ok)
		}
	}
	if k, ok := schema.KindByName("process.nothing"); ok {
		t.Errorf("found %v", k)
	}
	if schema.ProcessExec.Number != 101 || schema.ProcessExec.Name != "process.exec" {
		t.Errorf("ProcessExec is %+v", schema.ProcessExec)
	}
}

// Each column's slice is reached, and it is the one of its name and no other's: what is written through the
// column is what protobuf itself finds under the field's number.
func TestColumnsLeadToTheFieldsOfTheirNames(t *testing.T) {
	for table := range everyTable() {
		m := table.New()
		for i := range table.Columns {
			appendOne(table.Columns[i].Values(m), i+1)
		}
		fields := m.ProtoReflect().Descriptor().Fields()
		if fields.Len() != len(table.Columns) {
			t.Errorf("%s: %d columns of %d fields", table.Name, len(table.Columns), fields.Len())
		}
		for i := range table.Columns {
			c := &table.Columns[i]
			list := m.ProtoReflect().Get(fields.ByName(protoName(c.Name))).List()
			if list.Len() != 1 || c.Values(m).Len() != 1 {
				t.Errorf("%s.%s: %d values of 1", table.Name, c.Name, list.Len())
				continue
			}
			if got, want := c.Values(m).Int(0), int64(i+1); c.Type != schema.Bool && got != want {
				t.Errorf("%s.%s: %d, not %d", table.Name, c.Name, got, want)
			}
		}
	}
}

// What the rules of the wire ask of a column's options.
func TestColumnsKeepTheRulesOfTheWire(t *testing.T) {
	for table := range everyTable() {
		for i := range table.Columns {
			c := &table.Columns[i]
			name := table.Name + "." + c.Name
			signed := c.Type == schema.Int32 || c.Type == schema.Int64
			if c.Field.GetEncoding() == weirv1.Encoding_ENCODING_DELTA && !signed {
				t.Errorf("%s: ENCODING_DELTA wants sint32 or sint64", name)
			}
			if c.Field.GetForm() == weirv1.Form_FORM_ADDRESS && c.Type != schema.Uint32 {
				t.Errorf("%s: FORM_ADDRESS wants uint32", name)
			}
			if c.Type == schema.Enum && c.Field.GetEcs() != "" && len(c.Labels) < 2 {
				t.Errorf("%s: its enum's values have no labels", name)
			}
		}
	}
}

func TestAMissingColumnReadsAsZero(t *testing.T) {
	m := &weirv1.ProcessExit{ExitCode: []uint32{7}, CoreDumped: []bool{true}}
	for i := range schema.ProcessExit.Columns {
		c := &schema.ProcessExit.Columns[i]
		want := map[string]int64{"exit_code": 7, "core_dumped": 1}[c.Name]
		if got := c.Values(m).Int(0); got != want {
			t.Errorf("%s: %d, not %d", c.Name, got, want)
		}
	}
}

func TestATableIsPutIntoABatchAndTakenOut(t *testing.T) {
	b := &weirv1.Batch{}
	if _, ok := schema.ProcessExit.In(b); ok {
		t.Error("an empty batch has process_exit")
	}
	m := schema.ProcessExit.New()
	schema.ProcessExit.Put(b, m)
	if found, ok := schema.ProcessExit.In(b); !ok || found != m || b.ProcessExit != m {
		t.Errorf("In = %v, %v", found, ok)
	}
	schema.ProcessExit.Remove(b)
	if !proto.Equal(b, &weirv1.Batch{}) {
		t.Errorf("left: %v", b)
	}
}

func BenchmarkColumnValues(b *testing.B) {
	m := &weirv1.ProcessExit{}
	for b.Loop() {
		_ = schema.ProcessExit.Columns[0].Values(m)
	}
}

func TestMetricsHaveNoLabelsThatAHostInvents(t *testing.T) {
	for name, want := range map[string]string{"process.exec": "process.exec", "process.invented": "other", "": "other"} {
		if got := schema.KindLabel(name); got != want {
			t.Errorf("label of %q is %q, want %q", name, got, want)
		}
	}
}

// TestAnOCSFUserHasTheNameThatBelongsToItsID holds for a program that is set-uid: real and effective user differ.
func TestAnOCSFUserHasTheNameThatBelongsToItsID(t *testing.T) {
	paths := map[string]string{}
	for table := range schema.Tables() {
		for _, c := range table.Columns {
			paths[c.Field.GetOcsf()] = c.Field.GetEcs()
		}
	}
	if id, name := paths["actor.user.uid"], paths["actor.user.name"]; id != "user.id" || name != "user.name" {
		t.Errorf("actor.user.uid is %s, actor.user.name is %s", id, name)
	}
}
