package codegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// code is everything generated for one tool.
type code struct {
	types       string // type aliases, each with its comment
	shown       string // the same for a reader, with long enumerations elided
	comment     string // of the function
	params      string // of the function in a module
	declared    string // of the function in a declaration
	result      string // T of Promise<T>
	signature   string // parameters and result, without the function's name
	wraps       bool
	lists       [][]string // paths of lists that a Go server writes as null
	diagnostics []Diagnostic
}

// A generator makes the code of one tool.
type generator struct {
	tool   Tool
	shape  *Shape // of the results seen so far, nil if none
	prefix string // of the tool's type names
	names  nameSet
	out    code
}

func generate(t Tool, shape *Shape, function, prefix, called string) *code {
	g := &generator{tool: t, shape: shape, prefix: prefix, names: make(nameSet)}
	if t.Name == "" {
		g.report("/name", "tool without a name")
	}
	input := g.input()
	output := g.output(len(input.types))
	g.out.types = input.types + output.types
	g.out.shown = input.shown + output.shown
	switch {
	case !input.optional:
		g.out.params = "args: " + input.text
		g.out.declared = "args: " + input.text
	default:
		g.out.params = "args: " + input.text + " = {}"
		g.out.declared = "args?: " + input.text
	}
	g.out.result = output.text
	outdated := input.deprecated || deprecatedText.MatchString(g.tool.Description)
	g.out.comment = comment(g.describe(function, output, outdated), "")
	g.out.signature = signature(called, input, output.text, outdated)
	return &g.out
}

// deprecatedText finds the descriptions that call their tool deprecated: MCP has
// no field for it, so servers write it first or in capitals. "Lists deprecated
// packages" is no such description.
var deprecatedText = regexp.MustCompile(`^[^\pL]{0,16}(?i:deprecated)\b|\bDEPRECATED\b ?[:.!-]`)

// maxDiagnostics is how many diagnostics a tool can have: a hostile schema is
// no reason to fill a log.
const maxDiagnostics = 32

func (g *generator) report(path, message string) {
	switch n := len(g.out.diagnostics); {
	case n > maxDiagnostics:
		return
	case n == maxDiagnostics:
		path, message = "", "more diagnostics; not listed"
	}
	g.out.diagnostics = append(g.out.diagnostics, Diagnostic{Tool: g.tool.Name, Path: path, Message: message})
}

func (g *generator) describe(function string, output side, outdated bool) doc {
	d := doc{text: cleanText(g.tool.Description, maxToolText)}
	if d.text == "" {
		d.text = cleanText(g.tool.Title, maxToolText)
	}
	if outdated {
		d.tags = append(d.tags, "@deprecated")
	}
	if !resembles(function, g.tool.Name) {
		d.tags = append(d.tags, "@name "+quote(clip(g.tool.Name, maxPropertyText)))
	}
	if output.returns != "" {
		d.tags = append(d.tags, "@returns "+output.returns)
	}
	return d
}

// A side is what became of one of the two schemas of a tool.
type side struct {
	types      string // aliases to print
	shown      string // the same for a reader
	text       string // the type to write for the whole
	node       node   // the type itself
	top        string
	returns    string // what the comment says about a result
	optional   bool   // {} will do
	deprecated bool
}

// input converts the input schema. Arguments are always an object.
func (g *generator) input() side {
	const path = "/inputSchema"
	root := g.decode(path, g.tool.InputSchema)
	fallback := side{text: "{ [key: string]: unknown }", node: anyObject(), top: "unknown", optional: true}
	if root == nil {
		return fallback
	}
	c := g.converter(root, path)
	a := c.newAlias("Args")
	c.run(a, target{val: root}, []string{"object"})
	if c.over != "" {
		g.report(path, c.over+"; taken as unknown")
		return fallback
	}
	a.body = g.asArguments(a.body, root, path)
	s, ok := g.finish(a, path, "unknown", maxInputBytes)
	switch {
	case !ok:
		return fallback
	case s.node == node(never{}):
		g.report(path, noObject)
		return fallback
	}
	s.optional = allOptional(a.final)
	s.deprecated = root.get("deprecated").isBool(true)
	return s
}

const noObject = "input schema allows no object; taken as unknown"

// asArguments makes an object of whatever the input schema allows.
func (g *generator) asArguments(n node, root *value, path string) node {
	if r, ok := n.(ref); ok && !objectLike(r) {
		n = r.alias.body
	}
	switch n := n.(type) {
	case nil:
		return anyObject()
	case top:
		if len(root.members) > 0 && (root.get("type") != nil || root.get("$ref") != nil) {
			return anyObject()
		}
		return object{} // {} at the root: nothing is asked for
	case object:
		_, closed := n.index.(never)
		if closed && len(n.props) == 0 || n.anything && root.get("additionalProperties") == nil {
			return object{}
		}
		return n
	}
	objects := slices.DeleteFunc(slices.Clone(parts(n)), func(m node) bool { return !allowsObject(m) })
	if len(objects) == 0 {
		g.report(path, noObject)
		return anyObject()
	}
	n = union(objects...)
	if !objectLike(n) {
		n = intersect(anyObject(), n)
	}
	return n
}

// output is the type of the result: what the server declares, else what was
// seen, else any.
func (g *generator) output(inputBytes int) side {
	limit := maxTypesBytes - inputBytes
	declared, ok := g.declaredOutput(limit)
	if ok && !vague(declared.node) {
		return declared
	}
	if g.shape != nil {
		if seen, ok := g.observed(g.shape, limit); ok {
			return seen
		}
	}
	if ok {
		return declared
	}
	return side{text: "any", node: top{}, top: "any", returns: "Undeclared: JSON, else text, else content blocks."}
}

// vague reports whether a type says nothing but "some value" or "some object".
func vague(n node) bool {
	switch n := n.(type) {
	case top:
		return true
	case object:
		return n.anything && len(n.props) == 0
	}
	return false
}

// declaredOutput converts the output schema. A server on FastMCP wraps what is
// not an object as {"result": …} and says so; the host unwraps it at run time.
func (g *generator) declaredOutput(limit int) (side, bool) {
	const path = "/outputSchema"
	if len(g.tool.OutputSchema) == 0 || bytes.Equal(bytes.TrimSpace(g.tool.OutputSchema), []byte("null")) {
		return side{}, false
	}
	root := g.decode(path, g.tool.OutputSchema)
	if root == nil {
		return side{}, false
	}
	c := g.converter(root, path)
	at := target{val: root}
	if props := root.get("properties"); root.get("x-fastmcp-wrap-result").isBool(true) && len(props.object()) == 1 && props.get("result") != nil {
		g.out.wraps = true
		at = at.sub("properties").sub("result")
	}
	c.lists = &nullLists{base: at.path}
	a := c.newAlias("Result")
	c.run(a, at, nil)
	if c.over != "" {
		g.report(path, c.over+"; taken as any")
		return side{}, false
	}
	s, ok := g.finish(a, path, "any", limit)
	switch {
	case !ok:
		return side{}, false
	case s.node == node(never{}):
		g.report(path, "output schema allows no value; taken as any")
		return side{}, false
	}
	g.out.lists = c.lists.paths
	return s, true
}

// decode returns nil, with a diagnostic, for what is not an object.
func (g *generator) decode(path string, schema json.RawMessage) *value {
	if len(bytes.TrimSpace(schema)) == 0 {
		g.report(path, "no schema; taken as unknown")
		return nil
	}
	root, err := decode(schema)
	if err != nil {
		g.report(path, err.Error()+"; taken as unknown")
		return nil
	}
	if !root.is(objectValue) {
		g.report(path, "schema is "+root.kind.String()+"; taken as unknown")
		return nil
	}
	return root
}

func (g *generator) converter(root *value, path string) *converter {
	return newConverter(root, func(at, message string) { g.report(path+at, message) })
}

// finish links and prints the type of one schema. It reports false if that
// takes more than limit bytes even without the comments of properties.
func (g *generator) finish(a *alias, path, topName string, limit int) (side, bool) {
	l := &linker{prefix: g.prefix, names: g.names, report: func(message string) { g.report(path, message) }}
	aliases := l.link(a)
	s := g.write(aliases, topName, true)
	if len(s.types) <= limit {
		return s, true
	}
	if s = g.write(aliases, topName, false); len(s.types) <= limit {
		g.report(path, "too long with the descriptions of its properties; they are left out")
		return s, true
	}
	g.report(path, fmt.Sprintf("more than %d bytes of TypeScript; taken as %s", limit, topName))
	return side{}, false
}

// write prints the aliases, the first of which is the type of the whole. A short
// one is written in place unless it is an object, whose name says more.
func (g *generator) write(aliases []*alias, topName string, docs bool) side {
	p := &printer{top: topName, docs: true, limit: 60}
	a := aliases[0]
	s := side{text: a.name, node: a.final, top: topName}
	obj, isObject := a.final.(object)
	if text, short := p.onOneLine(a.final, looseType); short && a.uses == 0 && (!isObject || len(obj.props) == 0) {
		s.text = text
		aliases = aliases[1:]
	}
	p.docs = docs
	s.types = printAliases(p, aliases)
	s.shown = s.types
	if p.long {
		p.brief = true
		s.shown = printAliases(p, aliases)
	}
	return s
}

func printAliases(p *printer, aliases []*alias) string {
	var b strings.Builder
	for _, a := range aliases {
		if p.docs {
			b.WriteString(comment(a.doc, ""))
		}
		head := "export type " + a.name + " ="
		text := p.block(a.final, looseType, "", len(head)+2)
		if !strings.HasPrefix(text, "\n") {
			head += " "
		}
		b.WriteString(head + text + ";\n")
	}
	return b.String()
}
