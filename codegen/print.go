package codegen

import (
	"strconv"
	"strings"
)

// Precedence of a type in the grammar of TypeScript, loosest first. A type
// goes into parentheses where a tighter one is expected.
type precedence uint8

const (
	looseType precedence = iota
	unionType
	intersectionType
	postfixType
)

func precedenceOf(n node) precedence {
	switch n.(type) {
	case unionOf:
		return unionType
	case intersectionOf:
		return intersectionType
	}
	return postfixType
}

// lineWidth is the column after which lines are broken where they can be.
const lineWidth = 100

// A printer writes nodes as TypeScript.
type printer struct {
	top     string // how the top type is written
	docs    bool   // whether properties have comments
	notes   bool   // whether those of index signatures are too long for a line
	byID    bool   // aliases by number instead of by name
	brief   bool   // whether long enumerations are cut
	limit   int    // of a text on one line
	tooLong bool   // limit was exceeded
	long    bool   // there was an enumeration that can be cut
}

// An enumeration of more than maxEnumShown values is cut to the first
// enumShown where it is only read. What a program is checked against has all.
const (
	maxEnumShown = 24
	enumShown    = 20
)

// members returns the members of a union to print, and what to print behind
// them for the others.
func (p *printer) members(n unionOf) ([]node, string) {
	literals := 0
	for _, m := range n.members {
		if _, ok := m.(literal); ok {
			literals++
		}
	}
	if literals <= maxEnumShown {
		return n.members, ""
	}
	p.long = true
	if !p.brief {
		return n.members, ""
	}
	var shown []node
	left := enumShown
	for _, m := range n.members {
		if _, ok := m.(literal); ok {
			if left--; left < 0 {
				continue
			}
		}
		shown = append(shown, m)
	}
	return shown, " /* and " + strconv.Itoa(literals-enumShown) + " more */"
}

// inline writes n on one line, without comments, if it has at most limit bytes.
func inline(n node, limit int) (string, bool) {
	p := printer{top: "unknown", limit: limit, byID: true, notes: true}
	return p.onOneLine(n, looseType)
}

// fingerprint is equal for nodes that are equal but for their comments.
func fingerprint(n node) string {
	p := printer{top: "unknown", limit: 1 << 30, byID: true}
	return string(p.append(nil, n, looseType))
}

// onOneLine writes n without a line break, if it fits into the limit.
func (p *printer) onOneLine(n node, at precedence) (string, bool) {
	p.tooLong = false
	text := p.append(nil, n, at)
	return string(text), !p.tooLong && len(text) <= p.limit
}

func (p *printer) append(b []byte, n node, at precedence) []byte {
	if len(b) > p.limit {
		p.tooLong = true
		return b
	}
	if precedenceOf(n) < at {
		return append(p.append(append(b, '('), n, looseType), ')')
	}
	switch n := n.(type) {
	case top:
		if n.strict {
			return append(b, "unknown"...)
		}
		return append(b, p.top...)
	case never:
		return append(b, "never"...)
	case prim:
		return append(b, n...)
	case literal:
		return append(b, n.text...)
	case ref:
		return append(b, p.aliasName(n.alias)...)
	case requiring:
		return append(b, p.requiring(n)...)
	case array:
		return append(p.append(b, n.elem, postfixType), "[]"...)
	case tuple:
		return p.appendTuple(b, n)
	case object:
		return p.appendObject(b, n)
	case unionOf:
		members, others := p.members(n)
		return append(p.appendEach(b, members, " | ", intersectionType), others...)
	case intersectionOf:
		return p.appendEach(b, n.members, " & ", postfixType)
	}
	return b
}

func (p *printer) aliasName(a *alias) string {
	if p.byID {
		return "#" + strconv.Itoa(a.id)
	}
	return a.name
}

func (p *printer) requiring(n requiring) string {
	keys := make([]string, len(n.keys))
	for i, key := range n.keys {
		keys[i] = quote(key)
	}
	return "Required<Pick<" + p.aliasName(n.base) + ", " + strings.Join(keys, " | ") + ">>"
}

func (p *printer) appendEach(b []byte, nodes []node, separator string, at precedence) []byte {
	for i, n := range nodes {
		if i > 0 {
			b = append(b, separator...)
		}
		b = p.append(b, n, at)
	}
	return b
}

func (p *printer) appendTuple(b []byte, n tuple) []byte {
	b = append(b, '[')
	for i, elem := range n.elems {
		if i > 0 {
			b = append(b, ", "...)
		}
		if i < n.required {
			b = p.append(b, elem, looseType)
		} else {
			b = append(p.append(b, elem, postfixType), '?')
		}
	}
	if n.rest != nil {
		if len(n.elems) > 0 {
			b = append(b, ", "...)
		}
		b = append(p.append(append(b, "..."...), n.rest, postfixType), "[]"...)
	}
	return append(b, ']')
}

func (p *printer) appendObject(b []byte, n object) []byte {
	if len(n.props) == 0 && n.index == nil {
		return append(b, "{}"...)
	}
	b = append(b, "{ "...)
	for i, prop := range n.props {
		if p.docs && !prop.doc.empty() {
			p.tooLong = true // a comment needs lines of its own
			return b
		}
		if i > 0 {
			b = append(b, "; "...)
		}
		b = append(append(b, propertyHead(prop)...), ' ')
		b = p.append(b, prop.typ, looseType)
	}
	if n.index != nil {
		if (p.docs || p.notes) && (n.others != nil || len(n.patterns) > 0) {
			p.tooLong = true
			return b
		}
		if len(n.props) > 0 {
			b = append(b, "; "...)
		}
		b = p.append(append(b, indexHead...), n.index, looseType)
	}
	return append(b, " }"...)
}

const indexHead = "[key: string]: "

func propertyHead(p property) string {
	if p.optional {
		return propertyKey(p.name) + "?:"
	}
	return propertyKey(p.name) + ":"
}

// block writes n over as many lines as it needs; the lines after the first
// begin at the indent. Used is how much of the first line is taken already.
func (p *printer) block(n node, at precedence, indent string, used int) string {
	p.limit = max(lineWidth-used, maxInlineText)
	if text, ok := p.onOneLine(n, at); ok {
		return text
	}
	if precedenceOf(n) < at {
		if u, ok := n.(unionOf); ok {
			return "(" + p.unionBlock(u, indent+"  ") + "\n" + indent + ")"
		}
		return "(" + p.block(n, looseType, indent, used+1) + ")"
	}
	switch n := n.(type) {
	case requiring:
		return p.requiring(n)
	case array:
		return p.block(n.elem, postfixType, indent, used) + "[]"
	case tuple:
		return p.tupleBlock(n, indent)
	case object:
		return p.objectBlock(n, indent)
	case unionOf:
		return p.unionBlock(n, indent+"  ")
	case intersectionOf:
		var b strings.Builder
		for i, m := range n.members {
			if i > 0 {
				b.WriteString(" & ")
				used += len(" & ")
			}
			text := p.block(m, postfixType, indent, used)
			b.WriteString(text)
			if end := strings.LastIndexByte(text, '\n'); end >= 0 {
				used = len(text) - end - 1
			} else {
				used += len(text)
			}
		}
		return b.String()
	}
	p.limit = 1 << 30 // a name or a literal, however long
	text, _ := p.onOneLine(n, at)
	return text
}

func (p *printer) objectBlock(n object, indent string) string {
	inner := indent + "  "
	var b strings.Builder
	b.WriteString("{\n")
	line := func(d doc, head string, typ node) {
		if p.docs {
			b.WriteString(comment(d, inner))
		}
		text := p.block(typ, looseType, inner, len(inner)+len(head)+2)
		b.WriteString(inner + head)
		if !strings.HasPrefix(text, "\n") {
			b.WriteByte(' ')
		}
		b.WriteString(text + ";\n")
	}
	for _, prop := range n.props {
		line(prop.doc, propertyHead(prop), prop.typ)
	}
	if n.index != nil {
		line(doc{tags: p.indexTags(n)}, strings.TrimSpace(indexHead), n.index)
	}
	b.WriteString(indent + "}")
	return b.String()
}

// indexTags says what the index signature of n cannot.
func (p *printer) indexTags(n object) []string {
	p.limit = maxTagText
	var tags []string
	if n.others != nil {
		if text, ok := p.onOneLine(n.others, looseType); ok {
			tags = append(tags, "@additionalProperties "+text)
		}
	}
	for _, pattern := range n.patterns {
		text, ok := p.onOneLine(pattern.typ, looseType)
		if !ok {
			text = "…"
		}
		tags = append(tags, "@patternProperties "+quote(clip(pattern.name, maxTagText))+": "+text)
	}
	return tags
}

func (p *printer) tupleBlock(n tuple, indent string) string {
	inner := indent + "  "
	var b strings.Builder
	b.WriteString("[\n")
	for i, elem := range n.elems {
		at, mark := looseType, ""
		if i >= n.required {
			at, mark = postfixType, "?"
		}
		b.WriteString(inner + strings.TrimLeft(p.block(elem, at, inner, len(inner)+1), "\n ") + mark + ",\n")
	}
	if n.rest != nil {
		b.WriteString(inner + "..." + p.block(n.rest, postfixType, inner, len(inner)+6) + "[],\n")
	}
	b.WriteString(indent + "]")
	return b.String()
}

// unionBlock begins with a line break. It puts short members side by side and
// gives long ones lines of their own.
func (p *printer) unionBlock(n unionOf, indent string) string {
	var b strings.Builder
	column := lineWidth
	members, others := p.members(n)
	for _, m := range members {
		p.limit = lineWidth - len(indent) - 2
		text, short := p.onOneLine(m, intersectionType)
		if short && column+len(text)+3 <= lineWidth {
			b.WriteString(" | " + text)
			column += len(text) + 3
			continue
		}
		column = len(indent) + 2 + len(text)
		if !short {
			text = p.block(m, intersectionType, indent+"  ", len(indent)+2)
			column = lineWidth
		} else if _, isObject := m.(object); isObject {
			column = lineWidth
		}
		b.WriteString("\n" + indent + "| " + text)
	}
	return b.String() + others
}

// comment writes d as a JSDoc comment with its line breaks, "" if it is empty.
func comment(d doc, indent string) string {
	if d.empty() {
		return ""
	}
	text := escapeComment(d.text)
	tags := make([]string, len(d.tags))
	for i, tag := range d.tags {
		tags[i] = escapeComment(tag)
	}
	if !strings.Contains(text, "\n") {
		line := strings.TrimSpace(text + " " + strings.Join(tags, " "))
		if len(indent)+len(line)+8 <= lineWidth || indent != "" {
			return indent + "/** " + line + " */\n"
		}
	}
	var b strings.Builder
	b.WriteString(indent + "/**\n")
	if text != "" {
		for line := range strings.SplitSeq(text, "\n") {
			b.WriteString(strings.TrimRight(indent+" * "+line, " ") + "\n")
		}
	}
	for _, tag := range tags {
		b.WriteString(indent + " * " + tag + "\n")
	}
	b.WriteString(indent + " */\n")
	return b.String()
}
