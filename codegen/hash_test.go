package codegen_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/conductor/conductor/codegen"
)

func TestSchemaHash(t *testing.T) {
	tool := codegen.Tool{Server: "s", Name: "t", Description: "d", InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"},"b":{}}}`)}
	want := codegen.SchemaHash(tool)
	if len(want) != 32 || strings.Trim(want, "0123456789abcdef") != "" {
		t.Errorf("SchemaHash = %q", want)
	}
	same := tool
	same.Server, same.Description, same.Title = "other", "other", "other"
	same.InputSchema = json.RawMessage(" {\"properties\": {\"b\": {}, \"a\": {\"type\": \"string\"}},\n\"type\": \"object\"}")
	if got := codegen.SchemaHash(same); got != want {
		t.Errorf("the same schema has another hash: %s", got)
	}
	seen := map[string]string{want: "the tool"}
	for name, change := range map[string]func(*codegen.Tool){
		"name":   func(t *codegen.Tool) { t.Name = "u" },
		"input":  func(t *codegen.Tool) { t.InputSchema = json.RawMessage(`{"type":"object"}`) },
		"none":   func(t *codegen.Tool) { t.InputSchema = nil },
		"broken": func(t *codegen.Tool) { t.InputSchema = json.RawMessage(`{`) },
		"output": func(t *codegen.Tool) { t.OutputSchema = t.InputSchema },
		"moved":  func(t *codegen.Tool) { t.InputSchema, t.OutputSchema = nil, t.InputSchema },
		"order":  func(t *codegen.Tool) { t.InputSchema = json.RawMessage(`{"enum":["a","b"]}`) },
		"order2": func(t *codegen.Tool) { t.InputSchema = json.RawMessage(`{"enum":["b","a"]}`) },
	} {
		changed := tool
		change(&changed)
		hash := codegen.SchemaHash(changed)
		if other, taken := seen[hash]; taken {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[hash] = name
	}
}
