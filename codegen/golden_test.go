package codegen_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/conductor/conductor/codegen"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files; inspect the difference before you commit it")

// goldenFiles are the files that a case may have beside tools.json, and what
// belongs into them.
var goldenFiles = map[string]func(*codegen.Server, []codegen.Tool) string{
	"module.ts": func(s *codegen.Server, tools []codegen.Tool) string {
		return s.Module(append(toolNames(tools), s.Features()...)...)
	},
	"features.ts": func(s *codegen.Server, _ []codegen.Tool) string {
		var b strings.Builder
		for _, name := range s.Features() {
			b.WriteString("// " + s.Signature(name) + "\n" + s.Declaration(name))
		}
		return b.String()
	},
	"signature.txt": func(s *codegen.Server, tools []codegen.Tool) string {
		return eachTool(tools, func(name string) string { return s.Signature(name) + "\n" })
	},
	"declaration.ts": func(s *codegen.Server, tools []codegen.Tool) string {
		return eachTool(tools, s.Declaration)
	},
	"names.txt": func(s *codegen.Server, tools []codegen.Tool) string {
		return s.ImportLine() + "\n" + eachTool(tools, func(name string) string {
			return fmt.Sprintf("%q is %s, wrapped: %t\n", name, s.FunctionName(name), s.WrapsResult(name))
		})
	},
	"diagnostics.txt": func(s *codegen.Server, _ []codegen.Tool) string {
		var b strings.Builder
		for _, d := range s.Diagnostics() {
			fmt.Fprintf(&b, "%s %s: %s\n", d.Tool, d.Path, d.Message)
		}
		return b.String()
	},
}

func eachTool(tools []codegen.Tool, text func(name string) string) string {
	var b strings.Builder
	for _, tool := range tools {
		b.WriteString(text(tool.Name))
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { testGolden(t, path) })
	}
}

func testGolden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(strings.TrimSpace(string(archive.Comment))) < 20 {
		t.Error("the case does not say why it exists")
	}
	server, tools := goldenInput(t, archive)
	features := goldenFeatures(t, archive)
	s := codegen.NewServer(server, tools, features)
	observe(t, s, archive)
	compared := 0
	for i, file := range archive.Files {
		generate, ok := goldenFiles[file.Name]
		if !ok {
			continue
		}
		compared++
		got := generate(s, tools)
		if *update {
			archive.Files[i].Data = []byte(got)
		} else if diff := cmp.Diff(string(file.Data), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file.Name, diff)
		}
	}
	if compared == 0 {
		t.Error("the case has nothing to compare")
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	parses(t, path, s.Module(append(toolNames(tools), s.Features()...)...))
	parses(t, path, eachTool(tools, s.Declaration))
	for _, name := range s.Features() {
		parses(t, path, s.Declaration(name))
	}
	checkStable(t, server, tools)
	for _, tool := range tools {
		checkSignature(t, s, tool.Name)
		parses(t, tool.Name, s.Module(tool.Name))
	}
}

// observe sets the shapes of the results in the file observed.json, which has a
// list of results by tool.
func observe(t testing.TB, s *codegen.Server, archive *txtar.Archive) {
	t.Helper()
	for _, file := range archive.Files {
		if file.Name != "observed.json" {
			continue
		}
		var results map[string][]json.RawMessage
		if err := json.Unmarshal(file.Data, &results); err != nil {
			t.Fatalf("%s: %v", file.Name, err)
		}
		for tool, values := range results {
			var shape *codegen.Shape
			for _, value := range values {
				shape = shape.Merge(codegen.Observe(value))
			}
			s.SetObserved(tool, shape)
		}
	}
}

func goldenInput(t testing.TB, archive *txtar.Archive) (server string, tools []codegen.Tool) {
	t.Helper()
	server = "demo"
	for _, file := range archive.Files {
		var into any
		switch file.Name {
		case "server.json":
			into = &server
		case "tools.json":
			into = &tools
		default:
			continue
		}
		if err := json.Unmarshal(file.Data, into); err != nil {
			t.Fatalf("%s: %v", file.Name, err)
		}
	}
	return server, tools
}

// goldenFeatures reads what a server offers beside its tools, if the case says so.
func goldenFeatures(t testing.TB, archive *txtar.Archive) *codegen.Options {
	t.Helper()
	var o codegen.Options
	for _, file := range archive.Files {
		if file.Name == "features.json" {
			if err := json.Unmarshal(file.Data, &o); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &o
}

// checkStable fails the test if the order of keys or of tools makes a difference.
func checkStable(t *testing.T, server string, tools []codegen.Tool) {
	t.Helper()
	want := codegen.NewServer(server, tools, nil).Module(toolNames(tools)...)
	var again []codegen.Tool
	for i := len(tools) - 1; i >= 0; i-- {
		tool := tools[i]
		tool.InputSchema = shuffled(t, tool.InputSchema)
		tool.OutputSchema = shuffled(t, tool.OutputSchema)
		again = append(again, tool)
	}
	got := codegen.NewServer(server, again, nil).Module(toolNames(again)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the module depends on the order of its input:\n%s", diff)
	}
}
