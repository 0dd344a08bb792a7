package ecs

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weirproject/weir/schema"
)

//go:generate go run ../../internal/docgen/indextemplate ../../deploy/elasticsearch/weir-events.json

// DataStream is the data stream that the shipped template, deploy/elasticsearch/weir-events.json, is for.
const DataStream = "weir-events"

// indexTemplate is a composable index template of Elasticsearch and OpenSearch. It uses nothing that only one
// of them knows: no wildcard, no constant_keyword, no flattened; and no unsigned_long, as identifiers of 64
// bits are keywords.
type indexTemplate struct {
	IndexPatterns []string        `json:"index_patterns"`
	DataStream    struct{}        `json:"data_stream"`
	Priority      int             `json:"priority"`
	Meta          templateMeta    `json:"_meta"`
	Template      templateContent `json:"template"`
}

type templateMeta struct {
	Description string `json:"description"`
	ECSVersion  string `json:"ecs_version"`
}

type templateContent struct {
	Settings map[string]any `json:"settings"`
	Mappings mappings       `json:"mappings"`
}

type mappings struct {
	Dynamic          bool                `json:"dynamic"`
	DateDetection    bool                `json:"date_detection"`
	DynamicTemplates []map[string]any    `json:"dynamic_templates"`
	Properties       map[string]*mapping `json:"properties"`
}

// mapping is how one member of a document is indexed.
type mapping struct {
	Type            string              `json:"type,omitempty"`
	Dynamic         string              `json:"dynamic,omitempty"`
	Enabled         *bool               `json:"enabled,omitempty"`
	IgnoreAbove     int                 `json:"ignore_above,omitempty"`
	IgnoreMalformed *bool               `json:"ignore_malformed,omitempty"`
	Fields          map[string]*mapping `json:"fields,omitempty"`
	Properties      map[string]*mapping `json:"properties,omitempty"`
}

// longestKeyword is in characters, of which each may be 4 bytes: Lucene ends a term at 32,766.
const longestKeyword = 8191

// IndexTemplate returns the index template for the documents of all kinds, in data streams whose names match
// pattern.
//
// dynamic is false: a member that the template does not know, such as one of a newer collector, stays in
// _source and is not searchable. Strict would refuse the event, true would let whoever may write grow the
// mapping. ignore_malformed is true for the same reason: a value that its field cannot hold costs the search
// for it (_ignored tells), not the event.
func IndexTemplate(pattern string) ([]byte, error) {
	properties, err := properties()
	if err != nil {
		return nil, err
	}
	keyword := &mapping{Type: "keyword", IgnoreAbove: longestKeyword}
	t := indexTemplate{
		IndexPatterns: []string{pattern},
		Priority:      300, // above the servers' own logs-*-* (100) and what integrations install (200)
		Meta: templateMeta{
			Description: "Events of weir. Made from proto/weir/v1; what it does not map is in _source alone.",
			ECSVersion:  Version,
		},
		Template: templateContent{
			Settings: map[string]any{
				"index.codec":                      "best_compression",
				"index.mapping.ignore_malformed":   true,
				"index.mapping.total_fields.limit": 2000, // labels are counted too
			},
			Mappings: mappings{
				DynamicTemplates: []map[string]any{
					{"labels": map[string]any{"path_match": "labels.*", "mapping": keyword}},
				},
				Properties: properties,
			},
		},
	}
	return json.MarshalIndent(t, "", "  ")
}

// properties returns the mapping of every path in the documents of any kind.
func properties() (map[string]*mapping, error) {
	root := &mapping{Properties: map[string]*mapping{}}
	seen := map[string]Field{}
	for k := range schema.Kinds() {
		fields, err := Fields(k)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if f.Mapping == "" {
				continue
			}
			if before, ok := seen[f.Path]; ok && before.Mapping != f.Mapping {
				return nil, fmt.Errorf("ecs: %s is a %s for %s and a %s for %s",
					f.Path, before.Mapping, before.Column, f.Mapping, f.Column)
			}
			seen[f.Path] = f
			root.put(f.Path, mappingOf(f))
		}
	}
	raw := false
	root.put("weir.raw", &mapping{Type: "object", Enabled: &raw})
	return root.Properties, nil
}

func (m *mapping) put(path string, leaf *mapping) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		child := m.Properties[name]
		if child == nil {
			child = &mapping{Properties: map[string]*mapping{}}
			m.Properties[name] = child
		}
		m = child
	}
	m.Properties[names[len(names)-1]] = leaf
}

func mappingOf(f Field) *mapping {
	keyword := mapping{Type: "keyword", IgnoreAbove: longestKeyword}
	switch {
	case f.Path == "@timestamp":
		// Data streams refuse a time that may be malformed.
		never := false
		return &mapping{Type: f.Mapping, IgnoreMalformed: &never}
	case f.Mapping == "keyword":
		return &keyword
	case f.Mapping == "command_line":
		// Whole for exact and prefix queries, and word by word. ECS has a wildcard, which few servers know.
		keyword.Fields = map[string]*mapping{"text": {Type: "text"}}
		return &keyword
	case f.Mapping == "labels":
		return &mapping{Type: "object", Dynamic: "true"}
	default:
		return &mapping{Type: f.Mapping}
	}
}
