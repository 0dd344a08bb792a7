package ecs_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/ecs"
)

func TestShippedIndexTemplateIsFresh(t *testing.T) {
	template, err := ecs.IndexTemplate(ecs.DataStream)
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../../deploy/elasticsearch/weir-events.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(shipped) != string(template)+"\n" {
		t.Error("deploy/elasticsearch/weir-events.json is stale: go generate ./schema/ecs")
	}
}

// What a golden shows and the template does not map cannot be searched for.
func TestIndexTemplateMapsEveryMemberOfEveryGolden(t *testing.T) {
	b, err := ecs.IndexTemplate("weir-*")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Template struct {
			Mappings property `json:"mappings"`
		} `json:"template"`
	}
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	for k := range schema.Kinds() {
		for _, path := range paths(readGolden(t, k), "") {
			if !template.Template.Mappings.covers(path) {
				t.Errorf("kind %v: %s has no mapping", k, path)
			}
		}
	}
}

type property struct {
	Type       string              `json:"type"`
	Properties map[string]property `json:"properties"`
}

// covers reports whether the path is mapped, or lies in an object that is mapped as a whole.
func (p property) covers(path string) bool {
	name, rest, more := strings.Cut(path, ".")
	member, ok := p.Properties[name]
	return ok && (!more || member.Type == "object" || member.covers(rest))
}

func paths(document map[string]any, prefix string) (all []string) {
	for name, member := range document {
		if object, ok := member.(map[string]any); ok {
			all = append(all, paths(object, prefix+name+".")...)
		} else {
			all = append(all, prefix+name)
		}
	}
	return all
}
