package typecheck_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/typecheck"
	"github.com/conductor/conductor/sandbox"
)

var update = flag.Bool("update", false, "rewrite globalnames.txt")

var (
	declaredName = regexp.MustCompile(`(?m)^\s*(?:declare )?(?:var|let|const|function|abstract class|class|interface|type|namespace|enum) (\w+)`)
	nested       = regexp.MustCompile(`(?ms)^(?:declare )?namespace \w+ \{.*?^\}`)
)

// reserved are the words that no import can bind, and those that mean something in a
// program without being names.
const reserved = `await break case catch class const continue debugger default delete do else enum export extends false
finally for function if implements import in instanceof interface let new null package private protected public
return static super switch this throw true try typeof var void while with yield arguments eval async of as type
any unknown never object string number boolean symbol bigint undefined NaN Infinity globalThis global process Buffer`

// TestGlobalNames compares the list with what a program has, and with the types that
// the compiler brings.
func TestGlobalNames(t *testing.T) {
	s, err := sandbox.New(t.Context(), &sandbox.Options{TypeCheck: sandbox.TypeCheckOff})
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer s.Close()
	result, err := s.Run(t.Context(), &sandbox.Program{Code: `return Object.getOwnPropertyNames(globalThis)`})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := json.Unmarshal(result.Value, &names); err != nil {
		t.Fatal(err)
	}
	names = append(names, strings.Fields(reserved)...)
	for _, file := range declarations(t) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range declaredName.FindAllStringSubmatch(nested.ReplaceAllString(string(source), ""), -1) {
			names = append(names, found[1])
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.ContainsAny(name, " \n\t") })
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 400 {
		t.Fatalf("only %d names", len(names))
	}
	if *update {
		if err := os.WriteFile("globalnames.txt", []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names = slices.DeleteFunc(names, typecheck.IsGlobal)
	if len(names) > 0 {
		t.Errorf("these mean something in every program, and are not in globalnames.txt; run the test with -update: %q", names)
	}
}

// declarations are the files that declare what a program has without importing it.
func declarations(t *testing.T) []string {
	t.Helper()
	tsc, err := typecheck.Install(t.Context(), nil)
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	lib, globErr := filepath.Glob(filepath.Join(filepath.Dir(tsc.Path), "lib.es*.d.ts"))
	if err != nil || len(lib) < 50 {
		t.Fatalf("%d declarations of the language: %v", len(lib), errors.Join(err, globErr))
	}
	return append(lib, "globals.d.ts", "deno.d.ts")
}
