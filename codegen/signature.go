package codegen

import (
	"slices"
	"strings"
)

// maxSignature is how many bytes a signature should have at most. Only names
// can make it longer.
const (
	maxSignature     = 200
	maxSignatureType = 48 // of one property
)

// signature writes one line that shows how a tool is called. It is read, not
// compiled: what does not fit is elided, optional properties first.
func signature(called string, input side, result string, outdated bool) string {
	if len(result) > maxSignatureType {
		result = "…"
	}
	head, tail := called+"(", "): Promise<"+result+">"
	if outdated {
		tail += " // deprecated"
	}
	obj, isObject := shown(input.node)
	if isObject && len(obj.props) == 0 && obj.index == nil {
		return head + tail
	}
	head += "args"
	if input.optional {
		head += "?"
	}
	head += ": "
	room := maxSignature - len(head) - len(tail)
	p := &printer{top: input.top, limit: max(room, 0)}
	n := brief(input.node)
	if text, ok := p.onOneLine(n, looseType); ok {
		return head + text + tail
	}
	if !isObject || len(obj.props) == 0 {
		return head + input.text + tail
	}
	_, all := n.(object)
	const open, end, more = "{ ", " }", "…"
	room -= len(open) + len(end) + len("; ") + len(more)
	var fits []string
	for _, prop := range obj.props {
		text := propertyHead(prop) + " " + p.elide(brief(prop.typ))
		if room -= len(text) + len("; "); room < 0 {
			break
		}
		fits = append(fits, text)
	}
	if len(fits) < len(obj.props) || !all {
		fits = append(fits, more)
	}
	return head + open + strings.Join(fits, "; ") + end + tail
}

// brief replaces an object that alternatives narrow by the object: the names
// they need say nothing to the reader of a single line.
func brief(n node) node {
	switch n := n.(type) {
	case array:
		return array{brief(n.elem)}
	case object:
		n.props = slices.Clone(n.props)
		for i := range n.props {
			n.props[i].typ = brief(n.props[i].typ)
		}
		return n
	case intersectionOf:
		narrowed := slices.ContainsFunc(n.members, func(m node) bool {
			return slices.ContainsFunc(parts(m), func(part node) bool { _, ok := part.(requiring); return ok })
		})
		if obj, ok := shown(n); ok && narrowed {
			return obj
		}
	}
	return n
}

// shown is the object whose properties a signature lists: the type itself, or
// the part of it that the alternatives build on.
func shown(n node) (object, bool) {
	switch n := n.(type) {
	case object:
		return n, true
	case ref:
		obj, ok := n.alias.final.(object)
		return obj, ok
	case intersectionOf:
		if obj, ok := shown(n.members[0]); ok {
			return obj, true
		}
	}
	return object{}, false
}

// elide writes n on one line, leaving out its inner parts where it is long.
func (p *printer) elide(n node) string {
	p.limit = maxSignatureType
	if text, ok := p.onOneLine(n, looseType); ok {
		return text
	}
	switch n := n.(type) {
	case object:
		return "{ … }"
	case array:
		text := p.elide(n.elem)
		if precedenceOf(n.elem) < postfixType {
			text = "(" + text + ")"
		}
		return text + "[]"
	case tuple:
		return "[…]"
	case unionOf:
		var fits []string
		room := maxSignatureType
		for _, m := range n.members {
			p.limit = room
			text, ok := p.onOneLine(m, intersectionType)
			if !ok {
				break
			}
			room -= len(text) + 3
			fits = append(fits, text)
		}
		return strings.Join(append(fits, "…"), " | ")
	case literal:
		return string(n.kind)
	}
	return "…"
}
