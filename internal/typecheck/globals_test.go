package typecheck_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/conductor/conductor/sandbox"
)

var declaredValue = regexp.MustCompile(`(?m)^declare (?:var|const|function|class) (\w+)`)

// TestGlobals: whatever globals.d.ts declares is there when a program runs.
func TestGlobals(t *testing.T) {
	if _, err := sandbox.FindDeno(t.Context(), nil); err != nil {
		if _, err := exec.LookPath("npm"); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip("this test needs Deno: install npm to fetch it with, or set CONDUCTOR_DENO")
		}
	}
	source, err := os.ReadFile("globals.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, found := range declaredValue.FindAllStringSubmatch(string(source), -1) {
		names = append(names, found[1])
	}
	if len(names) < 60 {
		t.Fatalf("only %d values are declared", len(names))
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sandbox.New(t.Context(), &sandbox.Options{TypeCheck: sandbox.TypeCheckOff})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(t.Context(), &sandbox.Program{Code: "return [" + string(list) + `.filter((name) => globalThis[name] === undefined),
		["document", "window", "require", "XMLHttpRequest", "HTMLElement"].filter((name) => name in globalThis)]`})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(result.Value); got != "[[],[]]" {
		t.Errorf("declared and missing, undeclared and there: %s %s", got, result.Error)
	}
	// Each member that is declared of these, too.
	var members []string
	for _, name := range []string{"console", "crypto", "performance"} {
		kind := strings.ToUpper(name[:1]) + name[1:]
		_, body, _ := strings.Cut(string(source), "interface "+kind+" {")
		body, _, _ = strings.Cut(body, "\n}")
		for _, found := range regexp.MustCompile(`(?m)^  (?:readonly )?(\w+)[(:<]`).FindAllStringSubmatch(body, -1) {
			members = append(members, name+"."+found[1])
		}
	}
	for _, class := range regexp.MustCompile(`(?ms)^(?:declare class|interface) (URL|URLSearchParams|Headers|Blob|File|FormData|Request|Response|Body|ReadableStream|TextDecoder|TextEncoder|AbortSignal|Event|SubtleCrypto)\b[^{]*\{\n(.*?)^\}`).FindAllStringSubmatch(string(source), -1) {
		name := class[1]
		if name == "Body" {
			name = "Response"
		}
		for _, found := range regexp.MustCompile(`(?m)^  (static )?(?:readonly )?(\w+)[(:<]`).FindAllStringSubmatch(class[2], -1) {
			switch {
			case found[2] == "constructor":
			case found[1] != "":
				members = append(members, name+"."+found[2])
			default:
				members = append(members, name+".prototype."+found[2])
			}
		}
	}
	if list, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	result, err = s.Run(t.Context(), &sandbox.Program{Code: "return " + string(list) + `.filter((path) => {
		const names = path.split("."), last = names.pop();
		return !(last in names.reduce((o, name) => o[name], globalThis));
	})`})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(result.Value); got != "[]" {
		t.Errorf("of %d members declared and missing: %s %v", len(members), got, result.Error)
	}
}
