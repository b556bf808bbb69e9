package codegen_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/sandbox"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// bridge is where the modules of a type check import call from.
var bridge = &codegen.Options{BridgeModule: "./bridge.ts"}

// checkConfig is strict with the one exception that programs of twenty lines
// get: a parameter may do without a type.
const checkConfig = `{"compilerOptions": {"strict": true, "noImplicitAny": false, "lib": ["esnext"]}}`

// A typeError is one complaint of the compiler.
type typeError struct {
	file string
	line int
	code string // "TS2322"
	text string
}

var (
	errorHead  = regexp.MustCompile(`^(TS\d+) \[ERROR\]: (.*)`)
	errorPlace = regexp.MustCompile(`^    at file://.*/([^/]+):(\d+):\d+$`)
	errorCount = regexp.MustCompile(`(?m)^Found (\d+) errors`)
)

// denoIn runs Deno in a folder with these files, and with nothing of the user's.
// Where there is no Deno the test is skipped; under CI that is a failure.
func denoIn(t *testing.T, files map[string]string, args ...string) (output []byte, failed bool) {
	t.Helper()
	deno, err := sandbox.FindDeno(t.Context(), nil)
	if errors.Is(err, sandbox.ErrNoDeno) && os.Getenv("CI") == "" {
		t.Skipf("this test needs Deno: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), deno.Path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"NO_COLOR=1", "DENO_NO_UPDATE_CHECK=1", "DENO_DIR=" + filepath.Join(dir, "cache"), "HOME=" + dir, "TMPDIR=" + dir}
	output, err = cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output, err != nil
}

// typeCheck checks all the files in one run of the real compiler.
func typeCheck(t *testing.T, files map[string]string) []typeError {
	t.Helper()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var all strings.Builder
	for _, name := range names {
		fmt.Fprintf(&all, "import %q;\n", "./"+name)
	}
	files = maps.Clone(files)
	files["all.ts"] = all.String()
	files["bridge.ts"] = "export declare function call(target: string, args: unknown): Promise<any>;\n"
	files["deno.json"] = checkConfig
	output, failed := denoIn(t, files, "check", "--quiet", "--no-lock", "--no-remote", "--no-npm", "all.ts")
	return parseErrors(t, output, failed)
}

// parseErrors reads what the compiler said; a text that is not understood must
// not pass for a module without errors.
func parseErrors(t *testing.T, output []byte, failed bool) []typeError {
	t.Helper()
	var list []typeError
	open := false // the place of the last error is still to come
	for line := range strings.SplitSeq(string(bytes.TrimSpace(output)), "\n") {
		if m := errorHead.FindStringSubmatch(line); m != nil {
			list = append(list, typeError{code: m[1], text: m[2]})
			open = true
		} else if m := errorPlace.FindStringSubmatch(line); m != nil && open {
			last := &list[len(list)-1]
			last.file = m[1]
			last.line, _ = strconv.Atoi(m[2])
			open = false
		}
	}
	want := 0
	if failed {
		want = 1
		if m := errorCount.FindSubmatch(output); m != nil {
			want, _ = strconv.Atoi(string(m[1]))
		}
	}
	if len(list) != want || open {
		t.Fatalf("%d of %d errors understood:\n%.2000s", len(list), want, output)
	}
	return list
}

// TestTypeCheck checks all the golden cases and every server of the corpora with
// the compiler itself, module and declaration.
func TestTypeCheck(t *testing.T) {
	files := make(map[string]string)
	origin := make(map[string]string)
	add := func(name, text string) {
		file := fmt.Sprintf("m%d.ts", len(files))
		files[file], origin[file] = text, name
	}
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		server, tools := goldenInput(t, archive)
		s := codegen.NewServer(server, tools, bridge)
		observe(t, s, archive)
		module := s.Module(toolNames(tools)...)
		add(name, module+"\n"+goldenFile(archive, "program.ts"))
		for _, tool := range tools {
			add(name+" declaration", s.Declaration(tool.Name))
		}
		if mistakes := goldenFile(archive, "mistakes.ts"); mistakes != "" {
			add(name+" mistakes", module+"\n"+mistakes)
		}
	}
	for _, file := range toolFiles {
		for name, list := range corpusServers(t, file) {
			add(file+" "+name, codegen.NewServer(name, list, bridge).Module(toolNames(list)...))
		}
	}
	for _, e := range typeCheck(t, files) {
		t.Errorf("%s: line %d: %s %s\n%s", origin[e.file], e.line, e.code, e.text, lineOf(files[e.file], e.line))
	}
	t.Logf("%d modules and declarations", len(files))
}

func lineOf(text string, n int) string {
	if lines := strings.Split(text, "\n"); n > 0 && n <= len(lines) {
		return lines[n-1]
	}
	return ""
}

// goldenFile is the text of a file of a golden case, "" if it has none.
func goldenFile(archive *txtar.Archive, name string) string {
	for _, file := range archive.Files {
		if file.Name == name {
			return string(file.Data)
		}
	}
	return ""
}

// TestTypeCheckFinds shows that the check of the other tests can fail, that each
// error is found where it is, and that an open type differs in names only.
func TestTypeCheckFinds(t *testing.T) {
	files := map[string]string{
		"good.ts": "export const a: string = \"x\";\n",
		"bad.ts":  "export const a: string = \"x\";\nexport const b: number = a;\nexport const c: null = a;\n",
		"open.ts": openType,
		"wide.ts": `import type { Open } from "./open.ts"; function is<V extends Open<{ a?: { b: string } } | string[]>>(_: V) {}
is({ c: 1 }); is({ a: { b: "x", c: 1 } }); is(["x"]);
is({ a: { b: 1 } });
is([1]);
is("x");
`,
	}
	var got []string
	for _, e := range typeCheck(t, files) {
		got = append(got, fmt.Sprintf("%s:%d %s", e.file, e.line, e.code))
	}
	if want := []string{"bad.ts:2 TS2322", "bad.ts:3 TS2322", "wide.ts:3 TS2322", "wide.ts:4 TS2322", "wide.ts:5 TS2345"}; !slices.Equal(got, want) {
		t.Errorf("errors %q, want %q", got, want)
	}
}

// TestNullLists runs a generated module: the lists that the type promises are
// there, and nothing else changes.
func TestNullLists(t *testing.T) {
	list := `{"type":["null","array"],"items":` // a slice of the Go SDK
	schema := `{"type":"object","properties":{"a":` + list + `{"type":"object","properties":{"b":` + list + `{"type":"string"}},"n":{"type":["null","string"]}}}},
		"c":{"type":"object","properties":{"d":` + list + `{}}}},"e":` + list + list + `{}}},"__proto__":{"type":"object","properties":{"__proto__":` + list + `{}}}}}}`
	tests := []struct{ result, want string }{
		{`{"a":null,"c":{"d":null},"e":null,"f":null}`, `{"a":[],"c":{"d":[]},"e":[],"f":null}`},
		{`{"a":[{"b":null,"n":null},{"b":["x"]},null,5],"e":[null,[null]]}`, `{"a":[{"b":[],"n":null},{"b":["x"]},null,5],"e":[null,[null]]}`},
		{`{"a":"text","c":null}`, `{"a":"text","c":null}`},
		{`{}`, `{}`}, {`null`, `null`}, {`"text"`, `"text"`}, {`[null]`, `[null]`},
	}
	results := make([]string, len(tests))
	for i, test := range tests {
		results[i] = test.result
	}
	s := codegen.NewServer("s", []codegen.Tool{{Name: "t", InputSchema: json.RawMessage(`{}`), OutputSchema: json.RawMessage(schema)}}, bridge)
	files := map[string]string{
		"module.ts": s.Module("t"),
		"bridge.ts": "const results: any[] = [" + strings.Join(results, ", ") + "];\nexport const call = async (_: string, __: unknown) => results.shift();\n",
		"main.ts":   fmt.Sprintf("import { t } from \"./module.ts\";\nfor (let i = 0; i < %d; i++) console.log(JSON.stringify(await t()));\n", len(tests)),
	}
	output, _ := denoIn(t, files, "run", "--quiet", "--no-prompt", "--no-lock", "--no-remote", "--no-npm", "main.ts")
	var want strings.Builder
	for _, test := range tests {
		want.WriteString(test.want + "\n")
	}
	if diff := cmp.Diff(want.String(), string(output)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}
