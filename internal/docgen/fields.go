package docgen

import (
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// fields writes a table of the message's fields, and what the values of its enums mean.
func (d *document) fields(m *protogen.Message, place func(string) string) {
	t := newTable("ECS", "Column", "Shown as", "Unit", "OCSF", "Meaning")
	var enums []*protogen.Field
	for _, f := range m.Fields {
		o, ok := option[*weirv1.Field](f.Desc, weirv1.E_Field)
		if !ok || o.GetEcs() == "" && o.GetRole() == weirv1.Role_ROLE_UNSPECIFIED {
			continue
		}
		if comment(f.Comments) == "" {
			d.silent = append(d.silent, string(f.Desc.FullName()))
		}
		t.add(ecsPath(o, place), "`"+string(f.Desc.Name())+"`", shownAs(f, o), o.GetUnit(), code(o.GetOcsf()),
			comment(f.Comments))
		if f.Enum != nil {
			enums = append(enums, f)
		}
	}
	if len(t.rows) > 0 {
		d.text(t.String())
	}
	for _, f := range enums {
		d.values(f)
	}
}

// ecsPath is the path of a column; of a reference to a process, the process's part in the event.
func ecsPath(o *weirv1.Field, place func(string) string) string {
	if o.GetEcs() == "" {
		return "*" + words(o.GetRole().String(), "ROLE_") + "*"
	}
	return code(place(o.GetEcs()))
}

// shownAs says what a reader sees: the form or else the type, the transform, and whether 0 is a value.
func shownAs(f *protogen.Field, o *weirv1.Field) string {
	shown := words(o.GetForm().String(), "FORM_")
	if o.GetForm() == weirv1.Form_FORM_UNSPECIFIED {
		shown = typeName(f)
	}
	if o.GetMapping() == "keyword" {
		shown += " (string)"
	}
	if o.GetTransform() != weirv1.Transform_TRANSFORM_UNSPECIFIED {
		shown += ", " + words(o.GetTransform().String(), "TRANSFORM_")
	}
	if o.GetAlways() {
		shown += ", *always*"
	}
	return shown
}

func typeName(f *protogen.Field) string {
	switch {
	case f.Desc.IsMap():
		return "labels"
	case f.Desc.Kind() == protoreflect.EnumKind:
		return "word"
	case f.Desc.Kind() == protoreflect.BoolKind:
		return "flag"
	case f.Desc.Kind() == protoreflect.StringKind:
		return "text"
	default:
		return "number"
	}
}

// values writes what the words of an enum mean.
func (d *document) values(f *protogen.Field) {
	d.text("`" + string(f.Desc.Name()) + "`:")
	for _, v := range f.Enum.Values {
		label, _ := option[string](v.Desc, weirv1.E_Label)
		switch meaning := comment(v.Comments); {
		case label == "" && meaning != "":
			d.text("- none: " + meaning)
		case label != "":
			d.text(strings.TrimSuffix("- `"+label+"`: "+meaning, ": "))
		}
	}
	d.text("")
}

// legend writes what the values of an enum of options.proto mean.
func (d *document) legend(title, what, enum, prefix string) {
	d.text("## "+title, "", what, "")
	for _, v := range d.enum(enum).Values[1:] {
		d.text("- " + words(string(v.Desc.Name()), prefix) + ": " + comment(v.Comments))
	}
	d.text("")
}
