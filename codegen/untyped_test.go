package codegen_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/conductor/conductor/codegen"
)

// TestUntypedIsBounded shows that schemas without types, each of which allows six
// kinds of values, do not multiply where they meet.
func TestUntypedIsBounded(t *testing.T) {
	// definitions has n schemas and two empty ones, to which the last can refer.
	definitions := func(n int, schema func(i int) string) string {
		var b strings.Builder
		b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
		for i := range n {
			fmt.Fprintf(&b, `"d%d":%s,`, i, schema(i))
		}
		return b.String() + fmt.Sprintf(`"d%d":{},"d%d":{}}}`, n, n+1)
	}
	list := func(n int, schema func(i int) string) string {
		items := make([]string, n)
		for i := range n {
			items[i] = schema(i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	property := func(i int) string { return fmt.Sprintf(`{"properties":{"p%d":{"items":{}}}}`, i) }
	refer := func(i int) string { return fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i) }

	tests := map[string]string{
		"many of all":         `{"allOf":` + list(500, property) + `}`,
		"many of any":         `{"anyOf":` + list(500, property) + `}`,
		"nested":              strings.Repeat(`{"items":{},"properties":{"a":`, 30) + `{}` + strings.Repeat(`}}`, 30),
		"nested alternatives": strings.Repeat(`{"items":{"required":["a"]},"oneOf":[{"required":["b"]},`, 30) + `{}` + strings.Repeat(`]}`, 30),
		"a chain of all":      definitions(300, func(i int) string { return `{"allOf":[` + property(i) + `,` + refer(i+1) + `]}` }),
		"two chains of all":   definitions(300, func(i int) string { return `{"allOf":[` + property(i) + `,` + refer(i+1) + `,` + refer(i+2) + `]}` }),
		"two chains of any":   definitions(300, func(i int) string { return `{"anyOf":[` + property(i) + `,` + refer(i+1) + `,` + refer(i+2) + `]}` }),
		"each refers to all": definitions(60, func(i int) string {
			return fmt.Sprintf(`{"properties":{"p%d":{"allOf":%s}}}`, i, list(60, func(j int) string { return refer((i + j) % 60) }))
		}),
		"many patterns": definitions(60, func(i int) string {
			return fmt.Sprintf(`{"patternProperties":{"p%d":{"allOf":%s}}}`, i, list(60, func(j int) string { return refer((i + j) % 60) }))
		}),
	}
	for name, schema := range tests {
		t.Run(name, func(t *testing.T) {
			tools := []codegen.Tool{{Name: "t", InputSchema: json.RawMessage(schema), OutputSchema: json.RawMessage(schema)}}
			module := codegen.NewServer("s", tools, nil).Module("t")
			parses(t, name, module)
			if len(module) > 64<<10 {
				t.Errorf("module of %d bytes", len(module))
			}
		})
	}
}
