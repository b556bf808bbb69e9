package codegen

import (
	"strconv"
	"strings"
)

// A feature is what a server offers beside its tools, resources or prompts: an object
// that the module exports. Nothing of it was written by the server.
type feature struct {
	name   string // of the export: "resources", or "resources_2" beside such a tool
	kind   *featureKind
	target string // what the targets of its calls begin with
}

// A featureKind says what there is to call. The names of the types have no
// underscore and do not end like those of a tool, so they cannot be one of them.
type featureKind struct {
	name    string // also the first half of the methods in MCP
	comment string
	types   string
	methods []featureMethod
}

type featureMethod struct {
	name, wire string // in the program, and in MCP
	params     string
	args       string // the object that is passed on
	result     string
	comment    string
}

var resourcesKind = &featureKind{
	name:    "resources",
	comment: "What the server offers for reading, by URI.",
	types: `export type Resource = { uri: string; name: string; title?: string; description?: string; mimeType?: string; size?: number };
export type ResourceTemplate = { uriTemplate: string; name: string; title?: string; description?: string; mimeType?: string };
/** The text, or the bytes as base64 in blob. */
export type ResourceContents = { uri: string; mimeType?: string; text?: string; blob?: string };
`,
	methods: []featureMethod{
		{"list", "resources/list", "", "{}", "Resource[]", ""},
		{"templates", "resources/templates/list", "", "{}", "ResourceTemplate[]", "How URIs are made that are not listed (RFC 6570)."},
		{"read", "resources/read", "uri: string", "{ uri }", "ResourceContents[]", ""},
	},
}

var promptsKind = &featureKind{
	name:    "prompts",
	comment: "Prompts that the server has written for users.",
	types: `export type Prompt = { name: string; title?: string; description?: string; arguments?: { name: string; description?: string; required?: boolean }[] };
export type PromptMessage = { role: "user" | "assistant"; content: { type: string; text?: string; data?: string; mimeType?: string; [key: string]: unknown } };
`,
	methods: []featureMethod{
		{"list", "prompts/list", "", "{}", "Prompt[]", ""},
		{"get", "prompts/get", "name: string, args: { [name: string]: string } = {}", "{ name, args }", "{ description?: string; messages: PromptMessage[] }", ""},
	},
}

// addFeature names a feature. A tool keeps its name; the feature gets a suffix where it,
// or one of its targets, would be taken for a tool's.
func (s *Server) addFeature(kind *featureKind) {
	name := kind.name
	for n := 2; s.taken(name); n++ {
		name = kind.name + "_" + strconv.Itoa(n)
	}
	s.features = append(s.features, &feature{name: name, kind: kind, target: s.name + "." + name + "."})
}

func (s *Server) taken(name string) bool {
	if s.byExport[name] != nil {
		return true
	}
	for tool := range s.byName {
		if strings.HasPrefix(tool, name+".") {
			return true
		}
	}
	return false
}

// Features returns the names of the objects that the module exports for what the
// server offers beside its tools: see [Options]. They are names as those of tools are
// for [Server.Has], [Server.Module], [Server.Declaration] and [Server.Signature].
func (s *Server) Features() []string {
	var names []string
	for _, n := range s.features {
		names = append(names, n.name)
	}
	return names
}

// FeatureCalls returns the names of a feature's functions, "list" and the like.
func (s *Server) FeatureCalls(feature string) []string {
	var names []string
	if n := s.featureOf(feature); n != nil {
		for _, m := range n.kind.methods {
			names = append(names, m.name)
		}
	}
	return names
}

// FeatureHash is what [Server.SchemaHash] says of a feature, and of no tool.
const FeatureHash = "feature"

// FeatureKind returns "resources" or "prompts", which is the name of the feature unless
// a tool has it, and "" if there is no such feature.
func (s *Server) FeatureKind(feature string) string {
	if n := s.featureOf(feature); n != nil {
		return n.kind.name
	}
	return ""
}

func (s *Server) featureOf(name string) *feature {
	for _, n := range s.features {
		if n.name == name {
			return n
		}
	}
	return nil
}

// Method says what a call to a target of one of the server's features asks for: the
// feature, and the method of MCP, such as "resources/read". The arguments of the
// call are an object: {uri} for that one, {name, args} for "prompts/get", and {} for
// the others.
func (s *Server) Method(target string) (feature, method string, ok bool) {
	for _, n := range s.features {
		name, found := strings.CutPrefix(target, n.target)
		if !found {
			continue
		}
		for _, m := range n.kind.methods {
			if m.name == name {
				return n.name, m.wire, true
			}
		}
	}
	return "", "", false
}

// write writes the feature as a declaration, or with bodies for the module.
func (n *feature) write(b *strings.Builder, bodies bool) {
	b.WriteString(n.kind.types)
	b.WriteString(comment(doc{text: n.kind.comment}, ""))
	if bodies {
		b.WriteString("export const " + n.name + " = {\n")
	} else {
		b.WriteString("export declare const " + n.name + ": {\n")
	}
	for _, m := range n.kind.methods {
		b.WriteString(comment(doc{text: m.comment}, "  "))
		params := m.params
		if !bodies {
			params = declaredParams(params)
		}
		b.WriteString("  " + m.name + "(" + params + "): Promise<" + m.result + ">")
		if bodies {
			b.WriteString(" {\n    return call(" + quote(n.target+m.name) + ", " + m.args + ");\n  },\n")
		} else {
			b.WriteString(";\n")
		}
	}
	b.WriteString("};\n")
}

// declaredParams makes a parameter with a default an optional one.
func declaredParams(params string) string {
	if head, ok := strings.CutSuffix(params, " = {}"); ok {
		return strings.Replace(head, "args:", "args?:", 1)
	}
	return params
}

// signature is one line for all methods.
func (n *feature) signature(server string) string {
	var parts []string
	for _, m := range n.kind.methods {
		parts = append(parts, m.name+"("+declaredParams(m.params)+"): Promise<"+m.result+">")
	}
	return server + "." + n.name + ": { " + strings.Join(parts, "; ") + " }"
}
