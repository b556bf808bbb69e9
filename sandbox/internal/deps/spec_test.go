package deps_test

import (
	"testing"

	"github.com/conductor/conductor/sandbox/internal/deps"
)

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]deps.Spec{
		"npm:zod":                {Registry: "npm", Name: "zod"},
		"npm:zod@^3":             {Registry: "npm", Name: "zod", Range: "^3"},
		"npm:@scope/name@1.2.3":  {Registry: "npm", Name: "@scope/name", Range: "1.2.3"},
		"npm:zod@latest":         {Registry: "npm", Name: "zod", Range: "latest"},
		"npm:a.b-c_d@>=1.0":      {Registry: "npm", Name: "a.b-c_d", Range: ">=1.0"},
		"npm:a@1.0.0-rc.1":       {Registry: "npm", Name: "a", Range: "1.0.0-rc.1"},
		"jsr:@std/path@^1":       {Registry: "jsr", Name: "@std/path", Range: "^1"},
		"jsr:@std/path":          {Registry: "jsr", Name: "@std/path"},
		"jsr:@std/path@1.0.0-b1": {Registry: "jsr", Name: "@std/path", Range: "1.0.0-b1"},
	} {
		got, err := deps.ParseSpec(text)
		if err != nil || got != want {
			t.Errorf("ParseSpec(%q) = %v, %v; want %v", text, got, err, want)
		}
		if err == nil && got.String() != text {
			t.Errorf("ParseSpec(%q).String() = %q", text, got)
		}
	}
	for _, text := range []string{
		"", "zod", "zod@^3", "npm:", "npm:@", "npm:@scope", "npm:@scope/", "npm:../x", "npm:a/b", "npm:zod@^3/v4",
		"npm:Zod", "npm:.hidden", "npm:_x", "npm:a b", "npm:zod@", "npm:zod@^3 || ^4", "npm:zod@git+https://a.example/b",
		"npm:zod@npm:other", "npm:zod@file:../x", "npm:zod@http://a.example/x.tgz", "npm:zod@*/../..", "npm:node_modules",
		"git+https://a.example/b", "https://a.example/x.ts", "file:///etc/passwd", "./x", "/x", "github:a/b", "node:fs",
		"jsr:zod", "jsr:@std/Path", "jsr:@std/path@latest", "jsr:@std/path/posix", "jsr:@std", "npm:a\x00b", "npm:zоd",
	} {
		if got, err := deps.ParseSpec(text); err == nil {
			t.Errorf("ParseSpec(%q) = %v, want an error", text, got)
		}
	}
}
