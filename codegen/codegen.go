// Package codegen turns the tools of an MCP server into TypeScript: the module
// that a program imports, the declaration that a model reads before it writes
// the program, and the one line that a search hit shows.
//
//	s := codegen.NewServer("salesforce", tools, nil)
//	s.Signature("query")   // salesforce.query(args: { soql: string; limit?: number }): Promise<QueryResult>
//	s.Declaration("query") // its types and `export declare function query(…)`
//	s.Module("query")      // a .ts file with exactly the tools a conversation has loaded
//
// # From schema to type
//
// A schema is decoded tolerantly, converted to a small tree of types,
// simplified, and printed:
//
//	bytes ─decode─▶ value ─convert─▶ node ─link─▶ node with named types ─print─▶ text
//
// Nothing that a server sends is an error. What cannot be understood becomes
// `unknown` together with a [Diagnostic], and only the tool that it belongs to
// is poorer for it. The same holds for a schema that exceeds the budgets: depth
// 32, 4,000 sub-schemas, 64 KiB of TypeScript a tool.
//
// Objects are closed unless they say otherwise, required properties come first
// in the order of `required` and the others follow by name; the order in which
// a server wrote them is not kept, because it does not survive most JSON
// libraries and the text has to be the same on every replica. References are
// followed inside the schema only, never fetched. A type without a declared
// shape is `unknown` in arguments, where it asks the author to think, and `any`
// in results, where a program of twenty lines should need no cast.
//
// What is valid by a schema is of its type, but that properties which are declared
// under a condition (then, dependentSchemas) have their types without it. Keywords
// about objects or arrays in a schema to which no type is declared say nothing of other
// values, and the type lets these pass: { a?: string } | string | number | boolean |
// null | unknown[]. The arguments of a tool are always an object. A name that matches
// none of the patterns of a schema may have any value unless additionalProperties says
// which.
//
// # Results
//
// A result has the type of the output schema. Most servers declare none: their
// results are any, with a comment that says so, until the host has observed some.
// A [Shape] is what was seen of them, structure without values; given to
// [Server.SetObserved] it becomes a type that a model reads, `Promise<QueryObserved
// | any>`, and that no program is rejected by: what a server did not promise may
// change with the next call.
//
// A list that the schema calls ["null", "array"] is the slice of a Go server,
// which writes an empty one as null. Such a list is `T[]` in a result, and the
// generated function puts [] where a null of it is, so that `r.items.filter(…)`
// compiles and does not throw. This holds for lists in objects and in lists of
// objects. Elsewhere, and where a schema allows null in another way, null is part
// of the type.
//
// # Disclosure
//
// A model reads the same tool at three levels: [Server.Signature] in a search
// hit, about 26 tokens in the middle and 50 at most; [Server.Declaration] once it
// wants to call it, about 100; [Server.Module] with all that it has loaded. The
// first two elide what only costs: the inside of long types, all but the first 20
// values of a long enumeration. No level has a definition that nothing refers to.
// The module is complete, because programs are checked against it. A signature
// ends in `// deprecated` if the server says so of the tool.
//
// # Names
//
// A tool's function has the tool's name where that is an identifier. Otherwise
// it gets a similar identifier, and the exact name is exported as well, so that
// `github["get-tickets"](…)` works. The comment has the exact name only where more
// than separators and case differ. All names are decided over all the tools of a
// server: loading one more tool never renames another.
//
// # Security
//
// A server's text reaches the generated code in two ways only, inside string
// literals and inside comments, and both writers escape what could end them,
// hide from a reader, or be read as a directive by a compiler. Of results nothing
// reaches it but property names that consist of letters, digits and a few signs.
//
// # Concurrency
//
// A [Server] is safe for concurrent use. It generates a tool's code when it is
// first asked for and keeps it.
package codegen

import (
	"strings"

	"github.com/conductor/conductor/internal/tool"
)

// Tool is a tool as its server describes it, with these fields:
//
//   - Server, the name the host gave to the server (ignored here; see [NewServer]),
//   - Name, the exact name on the wire,
//   - Title and Description, prose that may be empty,
//   - InputSchema and OutputSchema, JSON Schema as [encoding/json.RawMessage]; both may be empty.
//
// Everything but Server is untrusted text.
type Tool = tool.Tool

// DefaultBridgeModule is the specifier of the module that generated code
// imports `call` from, unless [Options] says otherwise.
const DefaultBridgeModule = "conductor:bridge"

// Options configure [NewServer]. The zero value and nil mean the defaults.
type Options struct {
	// BridgeModule is the specifier from which a generated module imports
	//
	//	call(target: string, args: unknown): Promise<any>
	//
	// The default is [DefaultBridgeModule].
	BridgeModule string
	// Resources and Prompts say that the server offers these. The module can then
	// export an object for them, see [Server.Features]:
	//
	//	const [page] = await salesforce.resources.read("sf://accounts/1");
	//	const { messages } = await salesforce.prompts.get("review", { account: "1" });
	Resources, Prompts bool
}

// A Diagnostic is something odd in a tool that was worked around. It is meant
// for the host's log, not for a model: Message may quote the server, with
// hidden characters escaped.
type Diagnostic struct {
	// Tool is the exact name of the tool.
	Tool string
	// Path is a JSON pointer into the tool, such as
	// "/inputSchema/properties/limit".
	Path string
	// Message says what is odd and what was made of it.
	Message string
}

// ModulePath returns the specifier under which a program imports the module of
// the server with the given name, such as "./mcp/salesforce". Runs of
// characters other than ASCII letters, digits, `_`, `-` and `.` become one `_`,
// and so do leading dots and the dot of an ending that a resolver would take
// for a file type. Different servers can therefore have the same path; a host
// that lets users choose names has to check.
func ModulePath(server string) string {
	var b strings.Builder
	run := false
	for i := range len(server) {
		c := server[i]
		switch {
		case c == '.' && b.Len() == 0,
			c != '.' && c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z'):
			run = true
			continue
		case run:
			b.WriteByte('_')
			run = false
		}
		b.WriteByte(c)
	}
	if run || b.Len() == 0 {
		b.WriteByte('_')
	}
	name := b.String()
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 && fileTypes[strings.ToLower(name[dot+1:])] {
		name = name[:dot] + "_" + name[dot+1:]
	}
	return "./mcp/" + name
}

var fileTypes = wordSet("ts tsx mts cts js jsx mjs cjs json wasm")
