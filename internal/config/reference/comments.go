package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
)

const module = "github.com/weirproject/weir"

// comments reads the comments of structs' fields out of the source, each package once.
type comments struct {
	root     string // directory of the module
	packages map[string]typeDocs
}

// typeDocs are the comments of fields, by type and field.
type typeDocs map[string]map[string]string

func newComments(root string) *comments {
	return &comments{root: root, packages: map[string]typeDocs{}}
}

// of returns the comment of each field of a struct type, on one line.
func (c *comments) of(t reflect.Type) (map[string]string, error) {
	dir, ours := strings.CutPrefix(t.PkgPath(), module+"/")
	if !ours {
		return nil, fmt.Errorf("type %s is not of this module", t)
	}
	types, ok := c.packages[dir]
	if !ok {
		var err error
		if types, err = parseDir(filepath.Join(c.root, dir)); err != nil {
			return nil, err
		}
		c.packages[dir] = types
	}
	return types[t.Name()], nil
}

func parseDir(dir string) (typeDocs, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	types := typeDocs{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for n := range ast.Preorder(file) {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				continue
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				types[spec.Name.Name] = fieldDocs(s)
			}
		}
	}
	return types, nil
}

func fieldDocs(s *ast.StructType) map[string]string {
	docs := map[string]string{}
	for _, f := range s.Fields.List {
		text := f.Doc.Text()
		if text == "" {
			text = f.Comment.Text()
		}
		for _, name := range f.Names {
			docs[name.Name] = oneLine(text)
		}
	}
	return docs
}

// oneLine makes a table's cell of a comment.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
