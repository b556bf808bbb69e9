package codegen_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/conductor/conductor/codegen"
)

// A piece is a part of TypeScript text: a comment, the value between the quotes
// of a string, or a token of code.
type piece struct {
	kind byte // 'c', 's', or 't'
	text string
}

// pieces splits TypeScript that has neither templates nor regular expressions,
// which generated code must not have.
func pieces(source string) ([]piece, error) {
	var out []piece
	for len(source) > 0 {
		r, size := utf8.DecodeRuneInString(source)
		n, kind := size, byte('t')
		switch {
		case strings.HasPrefix(source, "//"):
			kind, n = 'c', len(source)
			if end := strings.IndexAny(source, "\n\r\u2028\u2029"); end >= 0 {
				n = end
			}
		case strings.HasPrefix(source, "/*"):
			end := strings.Index(source[2:], "*/")
			if end < 0 {
				return nil, fmt.Errorf("comment without end: %.40q", source)
			}
			kind, n = 'c', end+4
		case r == '"':
			kind = 's'
			for ; n < len(source) && source[n] != '"'; n++ {
				if source[n] == '\n' || source[n] == '\r' {
					return nil, fmt.Errorf("line end in string: %.40q", source)
				}
				if source[n] == '\\' {
					n++
				}
			}
			if n++; n > len(source) {
				return nil, fmt.Errorf("string without end: %.40q", source)
			}
		case r == '`' || r == '\'' || r == '/' || r == '\\' || r == '#' || r == '@' || r == utf8.RuneError:
			return nil, fmt.Errorf("unexpected %q in code: %.40q", r, source)
		case unicode.IsSpace(r):
			source = source[n:]
			continue
		case word(r):
			n = len(source) - len(strings.TrimLeftFunc(source, word))
		}
		out = append(out, piece{kind, source[:n]})
		source = source[n:]
	}
	return out, nil
}

func word(r rune) bool {
	return r == '_' || r == '$' || unicode.In(r, unicode.L, unicode.Nd, unicode.Mn, unicode.Mc)
}

// skeleton is the code of a module without what a server may choose: comments
// are gone, and strings and names that hold the mark are an X.
func skeleton(t testing.TB, source, mark string) string {
	t.Helper()
	list, err := pieces(source)
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	var b strings.Builder
	for _, p := range list {
		switch {
		case p.kind == 'c':
			continue
		case p.kind == 's' || strings.Contains(strings.ToLower(p.text), mark):
			b.WriteString("X ")
		default:
			b.WriteString(p.text + " ")
		}
	}
	return layout.Replace(b.String())
}

// layout undoes what depends on whether a type fits on one line.
var layout = strings.NewReplacer(": | ", ": ", "= | ", "= ", "( | ", "( ", ", ]", "]", "; }", "}")

// checkVisible fails the test if a text has a hidden character.
func checkVisible(t testing.TB, source string) {
	t.Helper()
	for i, r := range source {
		if r != '\n' && (unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector) || r == utf8.RuneError && !strings.HasPrefix(source[i:], "\ufffd")) {
			t.Errorf("hidden character %U in %.80q", r, source[max(0, i-20):])
		}
	}
}

// checkHarmless fails the test if generated text has a hidden character, or a
// comment has what a compiler or a bundler reads as a directive.
func checkHarmless(t testing.TB, source string) {
	t.Helper()
	checkVisible(t, source)
	list, err := pieces(source)
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	for _, p := range list {
		for _, directive := range []string{"@ts-", "@__", "#__", "@jsx", "@deno-", "@license", "@preserve", "sourceMappingURL"} {
			if p.kind == 'c' && strings.Contains(p.text, directive) {
				t.Errorf("directive %s in comment %q", directive, p.text)
			}
		}
	}
}

// payloads try to leave a comment or a string. The mark in them is found again
// in whatever they become.
const mark = "zqxj"

var payloads = []string{
	`*/ zqxj(); /*`, `**/zqxj`, `*\/ zqxj`, "*\u200b/ zqxj(); /*", "*\U000e0041/ zqxj()", "*\x00/ zqxj", "*\ufe0f/ zqxj",
	`"; zqxj(); "`, `\"; zqxj(); //`, `\\"; zqxj(); //`, `zqxj\`, `'zqxj'`, "`${zqxj()}`", `</script>zqxj`,
	"zqxj\n} zqxj(); {", "zqxj\r\nexport default 1", "zqxj\u2028zqxj()", "zqxj\u2029*/", "zqxj\u0085x",
	"\u202ezqxj\u202c", "\u2066zqxj", "\ufeffzqxj", "zqxj\xff\xfe", "zqxj\u00ad\u034f\u115f\u3164", "\U000e007fzqxj", "\ud7ffzqxj\ufffe",
	`@ts-ignore zqxj`, "zqxj\n@ts-expect-error", `@ts-nocheck zqxj`, `#__PURE__ zqxj`, `@__NO_SIDE_EFFECTS__ zqxj`, `@jsx zqxj`,
	`# sourceMappingURL=data:zqxj`, `@license zqxj`,
	`zqxj: any; [k: string]: any`, `zqxj?`, `{ zqxj }`, `zqxj>>`, `zqxj-1`, `1zqxj`, ` zqxj `, `zqxj/../..`, `~1zqxj%2f`, `__proto__ zqxj`,
	strings.Repeat("zqxj*/", 40), "zqxj" + strings.Repeat("\\", 101), strings.Repeat("\u202e", 30) + "zqxj",
}

// hostileTool has the text at every place of a tool where a server can put one.
func hostileTool(text string) []codegen.Tool {
	type m = map[string]any
	escaped := strings.NewReplacer("~", "~0", "/", "~1", "%", "%25").Replace(text)
	everywhere := m{
		"type": "string", "description": text, "title": text, "$comment": text, "format": text, "pattern": text,
		"default": text, "examples": []any{text}, "contentEncoding": text, "contentMediaType": text,
	}
	schema := m{
		"type": "object", "title": text, "description": text, "$id": text + "id",
		"properties": m{
			text + "-": everywhere,
			"enum":     m{"enum": []any{text, text + "2", m{text: text}, []any{text}}},
			"const":    m{"const": m{text: []any{text}}},
			"type":     m{"type": text},
			"types":    m{"type": []any{text, "string"}},
			"missing":  m{"$ref": text},
			"ref":      m{"$ref": "#/$defs/" + escaped},
			"again":    m{"$ref": "#/$defs/" + escaped},
			"long":     m{"enum": longEnum(text)},
			"map":      m{"type": "object", "properties": m{"a": m{}}, "additionalProperties": m{"const": text}},
			"patterns": m{"type": "object", "patternProperties": m{text: m{"const": text}}, "propertyNames": m{"pattern": text}},
			"closed":   m{"type": "object", "patternProperties": m{text: m{"const": text}}, "additionalProperties": false},
			"untyped":  m{"patternProperties": m{text: m{"const": text}}, "items": m{"const": text}, "required": []any{text + "="}},
			"branches": m{"type": "object", "properties": m{text + "?": m{}, text + "!": m{}}, "oneOf": []any{m{"required": []any{text + "?"}}, m{"required": []any{text + "!"}}}},
			"depends":  m{"type": "object", "dependentRequired": m{text: []any{text}}, "not": m{"const": text}, "if": m{"const": text}},
			"filled":   m{"type": "object", "properties": m{text + "#": m{"type": []any{"null", "array"}}}},
			"list":     m{"type": "array", "items": m{"type": "string", "description": text}},
		},
		"required": []any{text + "-", text + " unlisted", "enum"},
		"$defs": m{text: m{"type": "object", "description": text, "$anchor": text, "required": []any{text + "+"}, "properties": m{
			text + "+": m{"type": "string", "default": m{text: text}}, "self": m{"$ref": "#/$defs/" + escaped},
		}}},
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		panic(err)
	}
	return []codegen.Tool{
		{Name: text + "-", Title: text, Description: text, InputSchema: raw, OutputSchema: raw},
		{Name: text + "+", Title: text, InputSchema: json.RawMessage(text), OutputSchema: json.RawMessage(`"` + text)},
	}
}

func longEnum(text string) []any {
	var values []any
	for i := range 60 {
		values = append(values, fmt.Sprint(text, i))
	}
	return values
}

// TestInjection puts each payload at every place at once and shows that the
// code of the module is the one that a harmless text gives: the payload changed
// comments, string literals and the names made from it, and nothing else.
func TestInjection(t *testing.T) {
	// A harmless text of the same kind: no identifier, so that it is exported
	// by its exact name as well.
	benign := "-zqxj-"
	tools := hostileTool(benign)
	server := codegen.NewServer(benign, tools, nil)
	want := skeleton(t, server.Module(toolNames(tools)...), mark)
	wantDeclaration := skeleton(t, server.Declaration(tools[0].Name), mark)

	for _, payload := range payloads {
		t.Run(fmt.Sprintf("%.24q", payload), func(t *testing.T) {
			tools := hostileTool(payload)
			s := codegen.NewServer(payload, tools, nil)
			module := s.Module(toolNames(tools)...)
			parses(t, "module", module)
			checkHarmless(t, module)
			if got := skeleton(t, module, mark); got != want {
				t.Errorf("the payload changed the code:\n%s\nwant\n%s\ngot\n%s", module, want, got)
			}
			if got := skeleton(t, s.Declaration(tools[0].Name), mark); got != wantDeclaration {
				t.Errorf("the payload changed the declaration:\n%s", s.Declaration(tools[0].Name))
			}
			checkHarmless(t, s.Declaration(tools[0].Name))
			checkHarmless(t, s.ImportLine())
			checkHarmless(t, strings.ReplaceAll(s.Signature(tools[0].Name), "…", ""))
			checkSignature(t, s, tools[0].Name)
			for _, d := range s.Diagnostics() {
				checkVisible(t, d.Message)
			}
		})
	}
}

func FuzzModule(f *testing.F) {
	f.Add("server", "tool", "text", []byte(`{"type":"object","properties":{"a":{"type":"string"}}}`), []byte(`{"$ref":"#"}`))
	f.Add("a\nb", "*/", "*/", []byte(`{"anyOf":[{"required":["a"]},{"allOf":[{"$ref":"#/anyOf/0"}]}]}`), []byte(`[`))
	f.Add("", "then", "@ts-ignore", []byte(`{"items":[{},true],"additionalItems":{"$ref":"#/items/0"},"type":["array","x"]}`), []byte(`null`))
	f.Add("s", "t", "text", []byte(`{"properties":{"a":{"items":{}}},"patternProperties":{"^x":{"$ref":"#"}},"allOf":[{"$ref":"#/properties/a"},{"required":["b"]}]}`),
		[]byte(`{"anyOf":[{"$ref":"#"},{"properties":{"a":{"allOf":[{"$ref":"#"},{"items":{"$ref":"#"}}]}}}]}`))
	for _, payload := range payloads {
		f.Add(payload, payload, payload, []byte(hostileTool(payload)[0].InputSchema), []byte(payload))
	}
	f.Fuzz(func(t *testing.T, server, name, text string, input, output []byte) {
		tools := []codegen.Tool{
			{Name: name, Title: text, Description: text, InputSchema: input, OutputSchema: output},
			{Name: name + "-", InputSchema: output, OutputSchema: input},
			{Name: name + "_", Description: server},
		}
		s := codegen.NewServer(server, tools, nil)
		s.SetObserved(name+"_", codegen.Observe(input).Merge(codegen.Observe(output)))
		module := s.Module(toolNames(tools)...)
		parses(t, "module", module)
		checkHarmless(t, module)
		if len(module) > 4*(64<<10) {
			t.Errorf("module of %d bytes", len(module))
		}
		for _, tool := range tools {
			parses(t, "declaration", s.Declaration(tool.Name))
			checkSignature(t, s, tool.Name)
			if wire, ok := s.WireName(s.FunctionName(tool.Name)); !ok || wire != tool.Name {
				t.Errorf("WireName(FunctionName(%q)) = %q, %t", tool.Name, wire, ok)
			}
		}
		checkStable(t, server, tools)
	})
}
