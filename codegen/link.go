package codegen

import (
	"slices"
	"strings"
)

// maxInlineHeight is how many levels a type may have and still be written
// where it is referred to, and maxInlineText how long a type that is referred
// to more than once may be, maxSpreadText in an intersection.
const (
	maxInlineHeight = 8
	maxInlineText   = 32
	maxSpreadText   = 256
)

// A linker decides which aliases keep a name. What is referred to once, or is
// about as short as its name would be, is written in place; what refers to
// itself has to keep its name.
type linker struct {
	prefix string  // of the names it gives
	names  nameSet // taken in this tool
	report func(message string)
}

// link prepares root and all that it refers to for printing, and returns the
// aliases to print in the order of their first use, root first.
func (l *linker) link(root *alias) []*alias {
	state := make(map[*alias]visit)
	for _, a := range reachable(root) {
		l.breakLoops(a, state)
	}
	for _, a := range reachable(root) {
		walkAll(a.body, func(to *alias) { to.uses++ })
	}
	markRecursive(root, make(map[*alias]visit))
	root.keep = true

	expandAlias(root)
	root.name = l.prefix + root.hint
	named := []*alias{root}
	for i := 0; i < len(named); i++ {
		walkAll(named[i].final, func(to *alias) {
			if to.name == "" {
				expandAlias(to)
				to.name = unique(l.prefix+"_"+strings.TrimPrefix(identifier("_"+to.hint), "_"), "", l.names)
				named = append(named, to)
			}
		})
	}
	return named
}

type visit uint8

const (
	unvisited visit = iota
	entered
	finished
)

// reachable lists root and every alias that it leads to.
func reachable(root *alias) []*alias {
	seen := map[*alias]bool{root: true}
	list := []*alias{root}
	for i := 0; i < len(list); i++ {
		walkAll(list[i].body, func(to *alias) {
			if !seen[to] {
				seen[to] = true
				list = append(list, to)
			}
		})
	}
	return list
}

// breakLoops finds aliases that stand for themselves without an object or an
// array in between, as in `type A = A | string`. Such a schema has no meaning,
// and TypeScript refuses the type.
func (l *linker) breakLoops(a *alias, state map[*alias]visit) {
	if state[a] != unvisited {
		return
	}
	state[a] = entered
	loop := false
	walkDirect(a.body, func(to *alias) {
		l.breakLoops(to, state)
		loop = loop || state[to] == entered
	})
	if loop {
		l.report("reference to " + quote(clip(a.hint, 60)) + " that leads back to itself; taken as unknown")
		a.body = top{}
	}
	state[a] = finished
}

// markRecursive keeps the name of one alias on every cycle, which is enough to
// write the others in place.
func markRecursive(a *alias, state map[*alias]visit) {
	state[a] = entered
	walkAll(a.body, func(to *alias) {
		switch state[to] {
		case unvisited:
			markRecursive(to, state)
		case entered:
			to.keep = true
		}
	})
	state[a] = finished
}

// walkDirect calls visit for the aliases that n stands for itself; walkAll also
// for those that its parts refer to.
func walkDirect(n node, visit func(*alias)) { walk(n, false, visit) }
func walkAll(n node, visit func(*alias))    { walk(n, true, visit) }

func walk(n node, inside bool, visit func(*alias)) {
	switch n := n.(type) {
	case ref:
		visit(n.alias)
	case requiring:
		visit(n.base)
	case unionOf:
		for _, m := range n.members {
			walk(m, inside, visit)
		}
	case intersectionOf:
		for _, m := range n.members {
			walk(m, inside, visit)
		}
	}
	if !inside {
		return
	}
	switch n := n.(type) {
	case array:
		walk(n.elem, true, visit)
	case tuple:
		for _, e := range n.elems {
			walk(e, true, visit)
		}
		walk(n.rest, true, visit)
	case object:
		for _, p := range n.props {
			walk(p.typ, true, visit)
		}
		walk(n.index, true, visit)
		walk(n.others, true, visit)
		for _, p := range n.patterns {
			walk(p.typ, true, visit)
		}
	}
}

// expandAlias sets the final body of a.
func expandAlias(a *alias) node {
	if a.final == nil {
		a.expanding = true
		a.final = expand(a.body)
		a.expanding = false
	}
	return a.final
}

// expand rewrites n with the aliases that need no name written in place. The
// parts go through union and intersect again, which see more now.
func expand(n node) node {
	switch n := n.(type) {
	case ref:
		a := n.alias
		if a.keep || a.expanding {
			return n
		}
		final := expandAlias(a)
		short := a.uses == 1
		if !short {
			_, short = inline(final, maxInlineText)
		}
		if short && height(final) <= maxInlineHeight {
			return final
		}
		return n
	case array:
		return array{expand(n.elem)}
	case tuple:
		return tuple{expandEach(n.elems), n.required, expandIf(n.rest)}
	case object:
		out := object{index: expandIf(n.index), others: expandIf(n.others), anything: n.anything}
		out.props, out.patterns = expandTypes(n.props), expandTypes(n.patterns)
		return out
	case unionOf:
		return union(expandEach(n.members)...)
	case intersectionOf:
		members := expandEach(n.members)
		for i, m := range members {
			members[i] = spread(m)
		}
		return intersect(members...)
	}
	return n
}

// spread puts what a name stands for in its place if that lets all scalars pass. An
// intersection of such names has as many alternatives as the product of theirs,
// which is hard to read and too much for TypeScript; kind by kind they are few.
func spread(n node) node {
	members := slices.Clone(parts(n))
	for i, m := range members {
		r, ok := m.(ref)
		if !ok || r.alias.expanding {
			continue
		}
		final := expandAlias(r.alias)
		if _, short := inline(final, maxSpreadText); short && lax(final) {
			members[i] = final
		}
	}
	return either(members)
}

func expandEach(nodes []node) []node {
	out := make([]node, len(nodes))
	for i, n := range nodes {
		out[i] = expand(n)
	}
	return out
}

func expandTypes(props []property) []property {
	var out []property
	for _, p := range props {
		p.typ = expand(p.typ)
		out = append(out, p)
	}
	return out
}

func expandIf(n node) node {
	if n == nil {
		return nil
	}
	return expand(n)
}

// height is the number of levels of n, counting no further than it matters.
func height(n node) int { return heightWithin(n, maxInlineHeight+1) }

func heightWithin(n node, limit int) int {
	if n == nil || limit == 0 {
		return 0
	}
	var children []node
	switch n := n.(type) {
	case array:
		children = []node{n.elem}
	case tuple:
		children = append(children, n.elems...)
		children = append(children, n.rest)
	case object:
		for _, p := range n.props {
			children = append(children, p.typ)
		}
		children = append(children, n.index)
	case unionOf:
		children = n.members
	case intersectionOf:
		children = n.members
	}
	highest := 0
	for _, child := range children {
		highest = max(highest, heightWithin(child, limit-1))
	}
	return highest + 1
}

// hintOf derives the name of a type from the place of its schema: the last
// segment that is a name and not a keyword.
func hintOf(path string) string {
	segments := strings.Split(path, "/")
	for i := len(segments) - 1; i > 0; i-- {
		switch segments[i-1] {
		case "properties", "patternProperties", "$defs", "definitions":
			if segments[i] != "" {
				return unescapePointer(segments[i])
			}
		}
	}
	return "Type"
}
