package sandbox_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// withPackages makes a sandbox whose programs may import zod and ms from the real
// registry.
func withPackages(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.New(t.Context(), &sandbox.Options{
		TypeCheck: sandbox.TypeCheckOff,
		Profile:   sandbox.Profile{Dependencies: sandbox.Dependencies{Allow: []string{"npm:zod@^3", "npm:ms@2.1.3"}}},
	})
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("this test needs Deno and the npm registry: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestDependencies(t *testing.T) {
	leaktest.Check(t)
	s := withPackages(t)
	for _, test := range []struct{ name, code, want string }{
		{"full specifier", "import { z } from 'npm:zod@^3';\nz.object({ a: z.number() }).parse({ a: 1 })", `{"a":1}`},
		{"bare name", "import { z } from 'zod';\nz.string().safeParse(1).success", `false`},
		{"CommonJS", "import ms from 'ms';\nms('2 days')", `172800000`},
		{"subpath", "import { z } from 'zod/v4';\nz.email().safeParse('a@b.example').success", `true`},
		{"beside a module", "import ms from 'npm:ms';\nimport { say } from './mcp/echo';\nawait say({ text: ms(60000) })", `{"text":"1m"}`},
		{"dynamic", "const { default: ms } = await import('ms');\nms(1000)", `"1s"`},
		{"an error inside is the program's", "import { z } from 'zod';\ntry { z.number().parse('a') } catch (e: any) { return e.name }", `"ZodError"`},
		{"no network", "import 'zod';\ntry { await fetch('http://127.0.0.1:9999/'); } catch (e: any) { return e.name }", `"NotCapable"`},
		{"no files", "import 'zod';\ntry { Deno.readDirSync('/').next() } catch (e: any) { return e.name }", `"NotCapable"`},
		{"no other package at run time", "const other = 'npm:left-pad@1';\ntry { await import(other) } catch (e: any) { return e.message.includes('npm') }", `true`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := run(t, s, echoProgram(test.code))
			if string(result.Value) != test.want {
				t.Errorf("%s %s %v, want %s", result.Phase, result.Value, result.Error, test.want)
			}
		})
	}
	for _, test := range []struct{ name, code, want string }{
		{"not allowed", "\nimport pad from 'npm:left-pad';\npad", "line 2, column 17: ImportError: "},
		{"typo", "import { z } from 'zodd';\nz", "zod"},
		{"unknown module", "import './mcp/other';\n1", `cannot import "./mcp/other": the modules available to this program are ./mcp/echo`},
		{"missing export", "import { nothing } from 'zod';\nnothing", `has no export "nothing"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := run(t, s, echoProgram(test.code))
			if result.Phase != sandbox.PhaseRejected || !strings.Contains(result.Error.Error(), test.want) {
				t.Errorf("%s %v, want %s", result.Phase, result.Error, test.want)
			}
			t.Log(result.Error)
		})
	}
	t.Run("position behind a package", func(t *testing.T) {
		result := run(t, s, echoProgram("import { z } from 'zod';\n\nz.number().parse('a')"))
		if result.Phase != sandbox.PhaseRuntimeError || result.Error.Line != 3 || result.Error.Name != "ZodError" {
			t.Errorf("%s %v", result.Phase, result.Error)
		}
	})
	t.Run("lock", func(t *testing.T) {
		lock, err := s.Lock(t.Context(), nil)
		if err != nil || !strings.Contains(string(lock), "zod") {
			t.Fatalf("Lock: %s, %v", lock, err)
		}
		wrong := &sandbox.Profile{Dependencies: sandbox.Dependencies{Allow: []string{"npm:ms@2.0.0"}, Lock: lock}}
		if _, err := s.Run(t.Context(), &sandbox.Program{Code: "1", Profile: wrong}); !errors.Is(err, sandbox.ErrLock) {
			t.Errorf("with a lock that does not fit: %v", err)
		}
		if lock, err := s.Lock(t.Context(), &sandbox.Profile{}); lock != nil || err != nil {
			t.Errorf("without packages: %s, %v", lock, err)
		}
	})
}

func TestWrongDependencies(t *testing.T) {
	for _, spec := range []string{"zod", "npm:", "https://example.com/a.ts", "npm:../a", "file:a"} {
		_, err := sandbox.New(t.Context(), &sandbox.Options{Profile: sandbox.Profile{Dependencies: sandbox.Dependencies{Allow: []string{spec}}}})
		if errors.Is(err, sandbox.ErrNoDeno) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		if err == nil || !strings.Contains(err.Error(), "Dependencies") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// A program that nests without end must not take the host with it.
func TestNesting(t *testing.T) {
	s := newSandbox(t, nil)
	for name, code := range map[string]string{
		"bangs":    strings.Repeat("!", 200_000) + "1",
		"brackets": strings.Repeat("[", 200_000),
		"arrows":   strings.Repeat("a=>", 80_000) + "1",
		"strings":  strings.Repeat("'", 100_000) + strings.Repeat("(", 100_000),
	} {
		if result := run(t, s, &sandbox.Program{Code: code}); result.Phase != sandbox.PhaseRejected {
			t.Errorf("%s: %s %v", name, result.Phase, result.Error)
		}
	}
	flat := strings.Repeat("console.debug('a');\n", 12_000) + "return 1"
	if result := run(t, s, &sandbox.Program{Code: flat}); string(result.Value) != "1" {
		t.Errorf("a long program: %s %v", result.Phase, result.Error)
	}
}
