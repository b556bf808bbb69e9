package codegen_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/conductor/conductor/codegen"
	"github.com/evanw/esbuild/pkg/api"
)

// corpus opens one file of the corpora, which are not part of the project.
// Without them the test is skipped, under CI it fails.
func corpus(t testing.TB, name string) []json.RawMessage {
	t.Helper()
	dir := os.Getenv("CONDUCTOR_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	f, err := os.Open(filepath.Join(dir, "schemas", name))
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the corpora are missing, set CONDUCTOR_CORPORA: %v", err)
		}
		t.Skipf("the corpora are missing, set CONDUCTOR_CORPORA: %v", err)
	}
	defer f.Close()
	var rows []json.RawMessage
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		rows = append(rows, slices.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// toolFiles are the corpora of real tools, one tool a line.
var toolFiles = []string{"toucan-smithery.jsonl", "mcp-proxy-snapshots.jsonl", "mcpproxy-go.jsonl"}

// corpusServers returns the tools of a corpus file by server.
func corpusServers(t testing.TB, file string) map[string][]codegen.Tool {
	t.Helper()
	servers := make(map[string][]codegen.Tool)
	for _, row := range corpus(t, file) {
		var tool codegen.Tool
		if err := json.Unmarshal(row, &tool); err != nil {
			t.Fatal(err)
		}
		servers[tool.Server] = append(servers[tool.Server], tool)
	}
	return servers
}

func toolNames(tools []codegen.Tool) []string {
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
	}
	return names
}

// parses fails the test unless source parses as TypeScript.
func parses(t testing.TB, name, source string) {
	t.Helper()
	result := api.Transform(source, api.TransformOptions{Loader: api.LoaderTS, Sourcefile: name, LogLevel: api.LogLevelSilent})
	for _, m := range append(result.Errors, result.Warnings...) {
		line := ""
		if m.Location != nil {
			line = m.Location.LineText
		}
		t.Errorf("%s does not parse: %s\n%s", name, m.Text, line)
	}
}

// shuffled is the same JSON with its keys in another order.
func shuffled(t testing.TB, schema json.RawMessage) json.RawMessage {
	t.Helper()
	if len(schema) == 0 {
		return schema
	}
	var v any
	if err := json.Unmarshal(schema, &v); err != nil {
		return schema // not JSON: there is no other order
	}
	return appendReversed(nil, v)
}

func appendReversed(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		b = append(b, '{')
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		slices.Reverse(keys)
		for i, key := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			text, _ := json.Marshal(key)
			b = appendReversed(append(append(b, text...), ':'), v[key])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendReversed(b, item)
		}
		return append(b, ']')
	}
	text, _ := json.Marshal(v)
	return append(b, text...)
}

// TestCorpus generates every tool of every server of the corpora: nothing may
// fail, everything parses, and the order of keys, of tools and of loading makes
// no difference.
func TestCorpus(t *testing.T) {
	for _, file := range toolFiles {
		t.Run(file, func(t *testing.T) {
			var took []time.Duration
			tools, diagnostics, size := 0, 0, 0
			for name, list := range corpusServers(t, file) {
				s := codegen.NewServer(name, list, nil)
				for _, tool := range list {
					start := time.Now()
					s.Signature(tool.Name)
					took = append(took, time.Since(start))
					tools++
				}
				module := s.Module(toolNames(list)...)
				parses(t, name, module)
				size += len(module)
				for _, d := range s.Diagnostics() {
					diagnostics++
					t.Logf("%s: %s%s: %s", name, d.Tool, d.Path, d.Message)
				}

				checkStable(t, name, list)
				for _, tool := range list {
					checkSignature(t, s, tool.Name)
				}
			}
			slices.Sort(took)
			t.Logf("%d tools, %d diagnostics, %d bytes a tool, median %v, p99 %v, max %v",
				tools, diagnostics, size/tools, took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
		})
	}
}

// checkSignature fails the test unless the tool's signature is one short line.
func checkSignature(t testing.TB, s *codegen.Server, tool string) {
	t.Helper()
	sig := s.Signature(tool)
	for _, r := range sig {
		if r < ' ' {
			t.Errorf("%s: signature has a control character: %q", tool, sig)
		}
	}
	if most := 200 + len(s.FunctionName(tool)); len(sig) > most {
		t.Errorf("%s: signature of %d bytes: %s", tool, len(sig), sig)
	}
}

// TestCorpusSchemas feeds large schemas and those of the JSON Schema test suite
// through both sides of a tool. They are not tools, so any diagnostic will do.
func TestCorpusSchemas(t *testing.T) {
	for _, file := range []string{"schemastore-complex.jsonl", "jsts-draft7.jsonl"} {
		t.Run(file, func(t *testing.T) {
			for i, row := range corpus(t, file) {
				var line struct {
					File   string
					Schema json.RawMessage
				}
				if err := json.Unmarshal(row, &line); err != nil {
					t.Fatal(err)
				}
				wrapped := slices.Concat([]byte(`{"type":"object","required":["v"],"properties":{"v":`), line.Schema, []byte(`}}`))
				tools := []codegen.Tool{
					{Name: "direct", InputSchema: line.Schema, OutputSchema: line.Schema},
					{Name: "within", InputSchema: wrapped, OutputSchema: wrapped},
				}
				module := codegen.NewServer("s", tools, nil).Module("direct", "within")
				parses(t, line.File, module)
				if most := 2*(64<<10) + 4096; len(module) > most {
					t.Errorf("%s (line %d): module of %d bytes", line.File, i+1, len(module))
				}
			}
		})
	}
}

func BenchmarkModule(b *testing.B) {
	var largest []codegen.Tool
	for _, tools := range corpusServers(b, "toucan-smithery.jsonl") {
		if len(tools) > len(largest) || len(tools) == len(largest) && tools[0].Server < largest[0].Server {
			largest = tools
		}
	}
	names := toolNames(largest)
	for b.Loop() {
		codegen.NewServer("benchmark", largest, nil).Module(names...)
	}
	b.ReportMetric(float64(len(largest)), "tools")
}
