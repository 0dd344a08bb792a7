package ecs

import (
	"strings"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// source is what a value is read from. Each source has one entry, or none, for the row in hand.
type source uint8

// The sources, in the order in which they win where two give the same path.
const (
	fromRow    source = iota // the row of the kind's column group
	fromCommon               // the row of Common
	fromTarget               // processes, by the part that they play in the event; the one that a row names
	fromActor
	fromParent
	fromCreator
	fromCredentials
	fromCgroup
	fromRung
	fromInstance
	fromDeploy
	fromEnrichment
	fromHeader
	fromKind // constants
	sources
)

// cached reports whether what the source gives is the same for many rows, so that it is rendered once.
func (s source) cached() bool { return s > fromCommon && s < fromKind }

// value appends what a source holds for the row in hand as JSON; it appends nothing where there is none.
type value func(d *Documents, dst []byte) []byte

// spec is one value and its place in the documents of a kind.
type spec struct {
	id      int // tells specs apart
	path    string
	source  source
	list    bool   // one element of an array that several specs share
	mapping string // Elasticsearch field type
	value   value
	// column is the name of the column or field that the value is made of, such as "process_exec.mode".
	column string
}

// roles are the objects that processes stand at.
var roles = map[weirv1.Role]string{
	weirv1.Role_ROLE_ACTOR:   "process",
	weirv1.Role_ROLE_PARENT:  "process.parent",
	weirv1.Role_ROLE_TARGET:  "weir.target.process",
	weirv1.Role_ROLE_CREATOR: "weir.creator",
	weirv1.Role_ROLE_CLOSER:  "weir.closer",
}

// ownPrefix begins the paths that ECS does not know.
const ownPrefix = "weir."

// place returns the path of a column whose table stands at base, by the rule that weirv1.Table states.
func place(base, path string) string {
	rest, isOwn := strings.CutPrefix(path, ownPrefix)
	switch {
	case base == "":
		return path
	case !isOwn:
		return base + "." + path
	case strings.HasPrefix(base, ownPrefix):
		return base + "." + rest
	default:
		return ownPrefix + base + "." + rest
	}
}

// sibling returns the path of another member of the object that path is a member of.
func sibling(path, name string) string { return path[:strings.LastIndexByte(path, '.')+1] + name }
