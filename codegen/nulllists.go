package codegen

import (
	"slices"
	"strings"
)

// A list of a result that Go's encoder writes as null when it is empty. The
// schema of such a list is {"type": ["null", "array"]}, in this order: it is how
// the Go SDK describes a slice, whose zero value has no elements and is null in
// JSON. Typed as `T[] | null` it would make `r.items.filter(…)` an error in
// every program; typed as `T[]` alone it would make the same line throw whenever
// there is nothing to filter. So the type is `T[]` and the generated function
// makes it true: it puts [] where a null of such a list is.
//
// That holds for lists with a fixed path from the root of the result, which all
// of the Go SDK's are but lists within lists and within maps. The others, and
// nullable lists in another notation, stay `T[] | null`, as do all in arguments.

// Bounds of the paths of one tool; a list beyond them stays nullable.
const (
	maxLists    = 32
	maxListPath = 8
)

// nullLists collects the paths of such lists in one output schema.
type nullLists struct {
	base  string // pointer of the schema that the paths are relative to
	paths [][]string
}

// eachItem is the segment of a path that stands for every element of a list. It
// is no name of a property: an MCP result is JSON, whose text has no U+FFFF.
const eachItem = "\uffff"

// settle returns the types without null if the schema at the pointer is that of
// a list that will be filled. It is safe on nil, which fills none.
func (l *nullLists) settle(types []string, pointer string) []string {
	if l == nil || len(types) != 2 || types[0] != "null" || types[1] != "array" || len(l.paths) == maxLists {
		return types
	}
	path, ok := dataPath(strings.TrimPrefix(pointer, l.base))
	if !ok || !strings.HasPrefix(pointer, l.base) {
		return types
	}
	if !slices.ContainsFunc(l.paths, func(p []string) bool { return slices.Equal(p, path) }) {
		l.paths = append(l.paths, path)
	}
	return types[1:]
}

// dataPath turns the pointer to a schema into the path of the values that it
// describes, if it describes all of them: "/properties/a/items/properties/b"
// is b of each element of a. The path ends in a property.
func dataPath(pointer string) ([]string, bool) {
	segments := strings.Split(pointer, "/")[1:]
	var path []string
	last := ""
	for len(segments) > 0 {
		switch last = segments[0]; {
		case last == "items":
			path, segments = append(path, eachItem), segments[1:]
		case last == "properties" && len(segments) > 1 && segments[1] != "__proto__" && segments[1] != eachItem:
			path, segments = append(path, unescapePointer(segments[1])), segments[2:]
		default:
			return nil, false
		}
	}
	return path, last == "properties" && len(path) <= maxListPath
}

// fillLists is the call that fills the lists of result, as an expression.
func fillLists(result string, paths [][]string) string {
	var b strings.Builder
	b.WriteString("fillLists(" + result)
	for _, path := range paths {
		segments := make([]string, len(path))
		for i, segment := range path {
			if segments[i] = "0"; segment != eachItem {
				segments[i] = quote(segment)
			}
		}
		b.WriteString(", [" + strings.Join(segments, ", ") + "]")
	}
	return b.String() + ")"
}

// fillListsFunction is part of a module that needs it. In a path, 0 stands for
// each element.
const fillListsFunction = `
/** A Go server writes an empty list as null; a program gets []. */
function fillLists(result: any, ...paths: (string | 0)[][]): any {
  const fill = (value: any, key?: string | 0, ...rest: (string | 0)[]): void => {
    if (value === null || typeof value !== "object" || key === undefined) return;
    if (key === 0) {
      if (Array.isArray(value)) for (const item of value) fill(item, ...rest);
    } else if (rest.length > 0) fill(value[key], ...rest);
    else if (value[key] === null) value[key] = [];
  };
  for (const path of paths) fill(result, ...path);
  return result;
}
`
