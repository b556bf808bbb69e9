package codegen

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Server generates the TypeScript of one MCP server's tools. Make one with
// [NewServer]; it is safe for concurrent use. Nothing of it changes but what is
// known about results, with [Server.SetObserved].
type Server struct {
	name      string
	bridge    string
	namespace string
	tools     []*entry          // in the order given, without duplicates
	byName    map[string]*entry // by exact name
	byExport  map[string]*entry // by identifier and by exact name

	features []*feature
}

// An entry is one tool and, once asked for, its code.
type entry struct {
	tool     Tool
	function string
	prefix   string
	repeats  int // later tools of the same name
	hash     func() string

	mu    sync.Mutex
	shape *Shape // of the results seen so far, nil if none
	code  *code  // nil until asked for, and again when the shape changes
}

// NewServer takes all the tools of a server, also those that no conversation
// has loaded: names are decided over all of them. The name is the host's name
// for the server; it is the first half of every call's target. The schemas are
// read later and must not be modified.
//
// NewServer never fails. Of tools with the same name the first counts;
// [Server.Diagnostics] tells about the others and about all that is odd.
func NewServer(name string, tools []Tool, opts *Options) *Server {
	s := &Server{
		name:      name,
		bridge:    DefaultBridgeModule,
		namespace: namespace(name),
		byName:    make(map[string]*entry, len(tools)),
		byExport:  make(map[string]*entry, len(tools)),
	}
	if opts != nil && opts.BridgeModule != "" {
		s.bridge = opts.BridgeModule
	}
	names := make([]string, 0, len(tools))
	for _, t := range tools {
		if first := s.byName[t.Name]; first != nil {
			first.repeats++
			continue
		}
		e := &entry{tool: t, hash: sync.OnceValue(func() string { return SchemaHash(t) })}
		s.byName[t.Name] = e
		s.tools = append(s.tools, e)
		names = append(names, t.Name)
	}
	functions := functionNames(names)
	prefixes := typePrefixes(names, functions)
	for _, e := range s.tools {
		e.function, e.prefix = functions[e.tool.Name], prefixes[e.tool.Name]
		s.byExport[e.function] = e
		s.byExport[e.tool.Name] = e
	}
	if opts != nil && opts.Resources {
		s.addFeature(resourcesKind)
	}
	if opts != nil && opts.Prompts {
		s.addFeature(promptsKind)
	}
	return s
}

// Name returns the name given to [NewServer].
func (s *Server) Name() string { return s.name }

// ModulePath returns the specifier of the server's module; see [ModulePath].
func (s *Server) ModulePath() string { return ModulePath(s.name) }

// ImportLine returns the import statement with which a program gets the
// server's module, under a namespace that is an identifier:
//
//	import * as salesforce from "./mcp/salesforce";
func (s *Server) ImportLine() string {
	return fmt.Sprintf("import * as %s from %s;", s.namespace, quote(s.ModulePath()))
}

// Has reports whether the server has a tool with this exact name, or such a feature.
func (s *Server) Has(tool string) bool { return s.byName[tool] != nil || s.featureOf(tool) != nil }

// Tools returns the exact names of the tools, in the order in which they were given.
func (s *Server) Tools() []string {
	names := make([]string, len(s.tools))
	for i, e := range s.tools {
		names[i] = e.tool.Name
	}
	return names
}

// FunctionName returns the identifier of the function that calls the tool with
// this exact name, "" if there is no such tool.
func (s *Server) FunctionName(tool string) string {
	if e := s.byName[tool]; e != nil {
		return e.function
	}
	return ""
}

// WireName returns the exact name of the tool that a program calls as function,
// which is an identifier or an exact name, and of a feature its name. It also
// knows the two exact names
// that are not exported, "then" and "__proto__".
func (s *Server) WireName(function string) (string, bool) {
	if e := s.byExport[function]; e != nil {
		return e.tool.Name, true
	}
	if s.featureOf(function) != nil {
		return function, true
	}
	return "", false
}

// SchemaHash returns the [SchemaHash] of a tool, [FeatureHash] of a feature, and "" if
// there is neither.
func (s *Server) SchemaHash(tool string) string {
	if s.featureOf(tool) != nil {
		return FeatureHash
	}
	if e := s.byName[tool]; e != nil {
		return e.hash()
	}
	return ""
}

// WrapsResult reports whether the tool's output schema declares that its
// structured result is an object with the single property "result" around the
// value that the generated type promises. A host that calls the tool returns
// the value of "result" then.
func (s *Server) WrapsResult(tool string) bool { return s.generated(tool).wraps }

// Signature returns one line that shows how the tool is called, "" if there is
// no such tool:
//
//	salesforce.query(args: { soql: string; limit?: number }): Promise<QueryResult>
//
// It is meant for search hits: at most about 200 bytes, what does not fit is
// replaced by `…`, optional properties first.
func (s *Server) Signature(tool string) string {
	if n := s.featureOf(tool); n != nil {
		return n.signature(s.namespace)
	}
	return s.generated(tool).signature
}

// Declaration returns the full TypeScript of one tool for a model to read: its
// types and an `export declare function`, with comments and without a body. Of an
// enumeration of more than 24 values it has the first 20 and the number of the
// others. It is "" if there is no such tool.
func (s *Server) Declaration(tool string) string {
	if n := s.featureOf(tool); n != nil {
		var b strings.Builder
		n.write(&b, false)
		return b.String()
	}
	e := s.byName[tool]
	if e == nil {
		return ""
	}
	c := e.generated(s)
	return c.shown + c.comment + fmt.Sprintf("export declare function %s(%s): Promise<%s>;\n", e.function, c.declared, c.result)
}

// Module returns the server's module with exactly the tools, and features, of these
// exact names. Names that the server does not have are ignored; order and repetition
// make no difference.
func (s *Server) Module(tools ...string) string {
	names := slices.Clone(tools)
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return !s.Has(name) })

	var b strings.Builder
	fmt.Fprintf(&b, "// Generated by Conductor from the tools of %s. Do not edit.\n", escapeComment(quote(clip(s.name, maxPropertyText))))
	if len(names) == 0 {
		b.WriteString("export {};\n")
		return b.String()
	}
	fmt.Fprintf(&b, "import { call } from %s;\n", quote(s.bridge))
	var exact []string
	fills := false
	for _, name := range names {
		if n := s.featureOf(name); n != nil {
			b.WriteString("\n")
			n.write(&b, true)
			continue
		}
		e := s.byName[name]
		c := e.generated(s)
		b.WriteString("\n" + c.types + c.comment)
		result := "call(" + quote(s.name+"."+name) + ", args)"
		if len(c.lists) > 0 {
			result += ".then((r) => " + fillLists("r", c.lists) + ")"
			fills = true
		}
		fmt.Fprintf(&b, "export function %s(%s): Promise<%s> {\n  return %s;\n}\n", e.function, c.params, c.result, result)
		if e.function != name && !neverExported(name) {
			exact = append(exact, e.function+" as "+quote(name))
		}
	}
	if fills {
		b.WriteString(fillListsFunction)
	}
	if len(exact) > 0 {
		b.WriteString("\nexport { " + strings.Join(exact, ", ") + " };\n")
	}
	return b.String()
}

// Diagnostics returns what is odd about the tools, in the order in which they
// were given, at most some 30 a tool. It generates all of them.
func (s *Server) Diagnostics() []Diagnostic {
	var all []Diagnostic
	for _, e := range s.tools {
		all = append(all, e.generated(s).diagnostics...)
		if e.repeats > 0 {
			all = append(all, Diagnostic{e.tool.Name, "/name", fmt.Sprintf("%d more tools of this name; ignored", e.repeats)})
		}
	}
	return all
}

// generated returns the code of the tool with this exact name, the zero code
// if there is none.
func (s *Server) generated(tool string) *code {
	if e := s.byName[tool]; e != nil {
		return e.generated(s)
	}
	return &code{}
}

// SetObserved sets the shape of the tool's results so far, nil if none is known.
// Where the server does not declare the type of the result, or declares no more
// than that it is an object, the code of the tool shows the shape from then on:
//
//	/** @returns Observed from 3 successful calls, not promised by the server. */
//	export declare function query(args: QueryArgs): Promise<QueryObserved | any>;
//
// The shape is for reading; to a type check the result stays any. It is the
// host's to keep and to forget, for example by [SchemaHash]. A tool that the
// server does not have is ignored.
func (s *Server) SetObserved(tool string, shape *Shape) {
	if e := s.byName[tool]; e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.shape != shape {
			e.shape, e.code = shape, nil
		}
	}
}

// generated returns the code of a tool, which does not change.
func (e *entry) generated(s *Server) *code {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.code == nil {
		e.code = generate(e.tool, e.shape, e.function, e.prefix, s.namespace+"."+e.function)
	}
	return e.code
}
