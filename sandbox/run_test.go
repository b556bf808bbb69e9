package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
	"github.com/google/go-cmp/cmp"
)

func TestValue(t *testing.T) {
	s := newSandbox(t, nil)
	for _, test := range []struct{ name, code, want string }{
		{"return", "return 6 * 7", `42`},
		{"return in the middle", "if (1 < 2) return 'early';\n'late'", `"early"`},
		{"last expression", "const a = 20;\na + 1;", `21`},
		{"last expression over several lines", "const a = 1;\n({\n  a,\n  b: [1,\n    2],\n})", `{"a":1,"b":[1,2]}`},
		{"last expression is a call with a callback", "[1, 2].map((n) => {\n  return n * 2;\n})", `[2,4]`},
		{"import.meta", "if (import.meta.main) return import.meta.url", `"file:///program.ts"`},
		{"decorators", "function twice(f: any, _: any) { return function (this: any) { return 2 * f.call(this) } }\nclass A { @twice m() { return 7 } }\nreturn new A().m()", `14`},
		{"last expression is awaited", "async function f() { return 5 }\nawait f()", `5`},
		{"last expression is a promise", "Promise.resolve(6)", `6`},
		{"last expression in a template", "const n = 3;\n`line 1\nline ${n}`", `"line 1\nline 3"`},
		{"last expression has a comment", "foo(/* a\n  b */ 1)\nfunction foo(n: number) { return n }", ``},
		{"last expression has comments between its parts", "1 +\n// note;\n2", `3`},
		{"last expression has a comment with lines", "[1, /* a;\n  b */ 2]", `[1,2]`},
		{"last expression after the marks of a comment", "const glob = 'src/*';\nglob.length", `5`},
		{"last expression after a block", "if (true) {\n}\n[1].length", `1`},
		{"last expression is worked out by esbuild", "(() => 1)();\n'a' + 'b'", `"ab"`},
		{"last expression is negative", "[1];\n-1 // one less", `-1`},
		{"last expression is undefined", "[1];\nundefined;", ``},
		{"last expression is a constant after a block", "if (true) {\n}\n!0", `true`},
		{"last expression is a constant in brackets", "let n = 0;\n(1 + 2) * 3;;", `9`},
		{"only a constant", "1 + 2", `3`},
		{"constant in a condition", "const a = 0;\nif (a)\n  'x' + 'y'", ``},
		{"constant after an operator", "const a: any = [4];\na[0]\n- 1", `3`},
		{"constant in a loop", "for (let i = 0; i < 1; i++) 'x' + 'y'", ``},
		{"constant in the head of a loop", "let i = 0;\nfor (; i < 1; 5) i++", ``},
		{"constant behind export default", "export default 5;\n'a' + 'b'", `5`},
		{"last expression has several types", "const a: any = 'x';\na as\n 'x'\n | 'y'", `"x"`},
		{"last statement is a type", "const a = [5];\na;\ntype S =\n  | 'x'\n  | 'y'", `[5]`},
		{"last expression has a type", "const a: any = [3];\na as string | null", `[3]`},
		{"last expression ends in a constant", "const a = 0;\na || null", `null`},
		{"last expression ends in a type", "const a = [3][0];\na as 3", `3`},
		{"last expression ends in a number", "const a = 4;\na + 1", `5`},
		{"last expression of a long program", "const rows = [\n" + strings.Repeat("  { id: 1, when: '12:30:00', tags: [1, 2] },\n", 700) + "];\nfunction size(a: any[]) { return a.length }\nsize(rows)", `700`},
		{"last statement of a long program is none", "const rows = [\n" + strings.Repeat("  { id: 1, when: '12:30:00', tags: [1, 2] },\n", 700) + "];\nif (rows) { rows.length }", ``},
		{"last statement is a string", "'use strict'", `"use strict"`},
		{"last statement is a declaration", "const a = 1;", ``},
		{"last statement is a loop", "for (const a of [1]) { a }", ``},
		{"last statement is do while", "let n = 0;\ndo n++; while (n < 3)", ``},
		{"last statement is a label that is not ASCII", "日本: for (;;) break 日本", ``},
		{"last statement is a label", "a: for (;;) break a;", ``},
		{"export default", "const a = { b: 1 };\nexport default a;\nconsole.log('after');", `{"b":1}`},
		{"export default wins over the last expression", "export default 1;\n2", `1`},
		{"named default function", "export default function f() {}\nreturn f.name", `"f"`},
		{"exported declarations", "export const a = 1;\nexport function f() { return a + 1 }\nexport { a as b };\nf()", `2`},
		{"import words in strings", "const s = `\nimport a from 'b';\nexport default 1`;\nreturn s.length", `36`},
		{"import words in comments", "// import a from 'b'\n/* export default 1 */\n3", `3`},
		{"regular expression with quotes", "const r = /[\"'`/]/;\nr.test('\"')", `true`},
		{"types", "interface A { a: number }\ntype B = A | null;\nenum C { D = 4 }\nconst a = { a: C.D } as A satisfies B;\na!.a", `4`},
		{"statements without semicolons", "console.log(1)\nimport { say } from './mcp/echo'\n[1].map((n) => say)\nreturn 7", `7`},
		{"fence", "```ts\nreturn 8\n```", `8`},
		{"fence without an end", "```\nreturn 9", `9`},
		{"byte order mark", "\ufeffreturn 10", `10`},
		{"windows line ends", "const a = 11;\r\nreturn a;\r\n", `11`},
		{"undefined", "return undefined", ``},
		{"null", "return null", `null`},
		{"not a number", "[NaN, Infinity, -0]", `[null,null,0]`},
		{"undefined members", "({ a: undefined, b: [undefined] })", `{"b":[null]}`},
		{"date", "new Date(0)", `"1970-01-01T00:00:00.000Z"`},
		{"map, set, bytes", "[new Map([['a', 1]]), new Map([[1, 2]]), new Set([1]), new Uint8Array([1, 2])]", `[{"a":1},[[1,2]],[1],[1,2]]`},
		{"error", "new TypeError('no')", `{"name":"TypeError","message":"no"}`},
		{"toJSON", "new URL('http://a.example/b')", `"http://a.example/b"`},
		{"prototype keys", `JSON.parse('{"__proto__": {"a": 1}}')`, `{"__proto__":{"a":1}}`},
		{"same object twice", "const a = {}; [a, a]", `[{},{}]`},
		{"surrogates", `"\ud83d\ude00"`, `"😀"`},
		{"node module", "import { createHash } from 'node:crypto';\ncreateHash('sha256').update('').digest('hex').slice(0, 8)", `"e3b0c442"`},
		{"dynamic import", "const m = await import('./mcp/echo');\nawait m.say({ text: 'hi' })", `{"text":"hi"}`},
		{"import with an ending", "import { say } from './mcp/echo.ts';\nsay({ text: 'ts' })", `{"text":"ts"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := run(t, s, echoProgram(test.code))
			if result.Phase != sandbox.PhaseOK {
				t.Fatalf("phase %s: %v", result.Phase, result.Error)
			}
			if got := string(result.Value); got != test.want {
				t.Errorf("value %s, want %s", got, test.want)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	s := newSandbox(t, &sandbox.Options{Timeout: 20 * time.Second, Profile: sandbox.Profile{MemoryMB: 64, CPU: 3 * time.Second}})
	bare := newSandbox(t, &sandbox.Options{Isolation: sandbox.IsolationOff})
	for _, test := range []struct {
		name, code string
		phase      sandbox.Phase
		want       string // in the error, as Error() prints it
		hint       string // in the hint
		timeout    time.Duration
		bare       bool // without the layers of the operating system
	}{
		{name: "empty", code: " \n", phase: sandbox.PhaseRejected, want: "the program is empty", hint: "return"},
		{name: "Python", code: "import json\nprint(json.dumps(1))", phase: sandbox.PhaseRejected, want: `line 1, column 8: SyntaxError: Unexpected "json"`},
		{name: "only a comment", code: "// nothing\n", phase: sandbox.PhaseRejected, want: "the program is empty"},
		{name: "only an empty fence", code: "```ts\n```", phase: sandbox.PhaseRejected, want: "the program is empty"},
		{name: "syntax error", code: "const a = 1;\nconst b = ;", phase: sandbox.PhaseRejected, want: `line 2, column 11: SyntaxError: Unexpected ";"`},
		{name: "syntax error in a fence", code: "```ts\nconst b = ;\n```", phase: sandbox.PhaseRejected, want: `line 2, column 11: SyntaxError: Unexpected ";"`},
		{name: "syntax error behind wide characters", code: "const a = '日本😀'; const b = ;", phase: sandbox.PhaseRejected, want: `line 1, column 29: SyntaxError`},
		{name: "syntax error in an import", code: "\nimport { a b } from './mcp/echo';\na()", phase: sandbox.PhaseRejected, want: `line 2, column 12: SyntaxError: Expected "}" but found "b"`},
		{name: "not closed", code: "foo({\n  a: 1,\n", phase: sandbox.PhaseRejected, want: "unexpected end of the program", hint: "not closed"},
		{name: "prose", code: "Here is the program you asked for.", phase: sandbox.PhaseRejected, want: "SyntaxError"},
		{name: "too long", code: strings.Repeat(" ", 256<<10) + "1", phase: sandbox.PhaseRejected, want: "262145 bytes"},
		{name: "re-export", code: "export * from './mcp/echo'", phase: sandbox.PhaseRejected, want: "`export * from` is not supported"},
		{name: "require", code: "import a = require('a');", phase: sandbox.PhaseRejected, want: "is not supported: use `import * as name"},
		{name: "unknown import", code: "\nimport { z } from 'npm:zod';\nz", phase: sandbox.PhaseRejected, want: `line 2, column 19: ImportError: cannot import "npm:zod": the modules available to this program are ./mcp/echo`},
		{name: "module of the runtime by its old name", code: "import path from 'path';\npath", phase: sandbox.PhaseRejected, want: `line 1, column 18: ImportError: cannot import "path": write import … from "node:path"`},
		{name: "unknown import that is not used", code: "import 'left-pad';\n1", phase: sandbox.PhaseRejected, want: `cannot import "left-pad"`},
		{name: "file import", code: "import a from '/etc/passwd' with { type: 'text' };\na", phase: sandbox.PhaseRejected, want: `cannot import "/etc/passwd"`},
		{name: "two unknown imports", code: "import 'a';\nimport 'b';\n1", phase: sandbox.PhaseRejected, want: "cannot import \"a\": the modules available to this program are ./mcp/echo\ncannot import \"b\""},
		{name: "unknown member", code: "import * as echo from './mcp/echo';\n\nawait echo.shout({});", phase: sandbox.PhaseRejected, want: `line 3, column 12: ImportError: ./mcp/echo has no export "shout"`},
		{name: "unknown name", code: "import { shout } from './mcp/echo';\nawait shout({});", phase: sandbox.PhaseRejected, want: `line 1, column 10: ImportError: ./mcp/echo has no export "shout"`},

		{name: "throw", code: "const a: any = null;\nfunction f() {\n  return a.b;\n}\nf();", phase: sandbox.PhaseRuntimeError, want: "line 3, column 12: TypeError: Cannot read properties of null (reading 'b')"},
		{name: "throw in the last expression", code: "const a: any = {};\n[1].map((n) => {\n  return a.b.c + n;\n})", phase: sandbox.PhaseRuntimeError, want: "line 3, column 14: TypeError"},
		{name: "throw in the only expression", code: "\n  oops();", phase: sandbox.PhaseRuntimeError, want: "line 2, column 3: ReferenceError: oops is not defined"},
		{name: "throw in a chain", code: "const a: any = 1;\n[1]\n  .map((n) => n)\n  .forEach((n) => {\n    a.b.c;\n  })", phase: sandbox.PhaseRuntimeError, want: "line 5, column 9: TypeError"},
		{name: "throw at the start of the last expression", code: "const a: any = null;\n\n[a.b,\n  1]", phase: sandbox.PhaseRuntimeError, want: "line 3, column 4: TypeError"},
		{name: "mistake that only V8 finds, in the last expression", code: "1;\n\n  /(/", phase: sandbox.PhaseRuntimeError, want: "line 3, column 3: SyntaxError: Invalid regular expression"},
		{name: "syntax error behind a blank import", code: "import { say as 日本 } from './mcp/echo'; const b = ;", phase: sandbox.PhaseRejected, want: `line 1, column 51: SyntaxError`},
		{name: "throw in a long program", code: "const a: any = null;\nlet n = 0;\n" + strings.Repeat("n += [{ a: 1, b: [1, 2] }].length;\n", 900) + "(() => {\n  return a.b + n;\n})()", phase: sandbox.PhaseRuntimeError, want: "line 904, column 12: TypeError"},
		{name: "mistake that only V8 finds", code: "const a = 1;\nconst b = /(/;", phase: sandbox.PhaseRuntimeError, want: "line 2, column 11: SyntaxError: Invalid regular expression: /(/: Unterminated group"},
		{name: "throw a string", code: "throw 'no way'", phase: sandbox.PhaseRuntimeError, want: "the program threw a value that is not an Error: no way"},
		{name: "throw an object", code: "throw { code: 7 }", phase: sandbox.PhaseRuntimeError, want: "the program threw a value that is not an Error: { code: 7 }"},
		{name: "throw null", code: "throw null", phase: sandbox.PhaseRuntimeError, want: "not an Error: null"},
		{name: "throw undefined", code: "throw undefined", phase: sandbox.PhaseRuntimeError, want: "not an Error: undefined"},
		{name: "throw a proxy", code: "throw new Proxy({}, { get() { throw new Error('trap') }, getPrototypeOf() { throw new Error('trap') } })", phase: sandbox.PhaseRuntimeError, want: "not an Error"},
		{name: "throw with a throwing getter", code: "const e = new Error('a');\nObject.defineProperty(e, 'message', { get() { throw 1 } });\nthrow e", phase: sandbox.PhaseRuntimeError, want: "Error: "},
		{name: "throw a huge message", code: "throw new Error('x'.repeat(5e6))", phase: sandbox.PhaseRuntimeError, want: "Error: xxx"},
		{name: "rejection that nobody awaits", code: "Promise.reject(new RangeError('late'));\nawait new Promise((r) => setTimeout(r, 5000));", phase: sandbox.PhaseRuntimeError, want: "line 1, column 16: RangeError: not caught: late", hint: "await every promise"},
		{name: "throw in a timer", code: "setTimeout(() => { throw new Error('tick') });\nawait new Promise((r) => setTimeout(r, 5000));", phase: sandbox.PhaseRuntimeError, want: "Error: not caught: tick"},

		{name: "cycle", code: "const a: any = { b: {} };\na.b.c = [a];\na", phase: sandbox.PhaseRuntimeError, want: "the program's value cannot be encoded as JSON: .b.c[0] is a reference to an object that contains it (a cycle)"},
		{name: "bigint", code: "({ a: [1n] })", phase: sandbox.PhaseRuntimeError, want: ".a[0] is a BigInt: convert it with Number(x) or String(x)"},
		{name: "function", code: "() => 1", phase: sandbox.PhaseRuntimeError, want: "it is a function: call it"},
		{name: "function inside", code: "({ 'a b': () => 1 })", phase: sandbox.PhaseRuntimeError, want: `["a b"] is a function`},
		{name: "symbol", code: "[Symbol('a')]", phase: sandbox.PhaseRuntimeError, want: "[0] is a symbol"},
		{name: "promise inside", code: "import { say } from './mcp/echo';\n({ a: say({}) })", phase: sandbox.PhaseRuntimeError, want: ".a is a Promise: await it"},
		{name: "deep", code: "let a: any = 1;\nfor (let i = 0; i < 200000; i++) a = [a];\na", phase: sandbox.PhaseRuntimeError, want: "is nested more than 1000 levels deep"},
		{name: "getter that throws", code: "({ get a() { throw new Error('getter') } })", phase: sandbox.PhaseRuntimeError, want: "Error: getter"},
		{name: "arguments", code: "import { say } from './mcp/echo';\nawait say({ text: 1n as any })", phase: sandbox.PhaseRuntimeError, want: "line 2, column 7: TypeError: the arguments of echo.say cannot be encoded as JSON: args.text is a BigInt"},

		{name: "failed call", code: "import { fail } from './mcp/echo';\nconst a = 1;\nawait fail({});", phase: sandbox.PhaseRuntimeError, want: "line 3, column 7: ToolError: echo.fail: no such record"},
		{name: "permission", code: "await Deno.readTextFile('/etc/passwd')", phase: sandbox.PhaseRuntimeError, want: "line 1, column 12: NotCapable: Requires read access to \"/etc/passwd\"", hint: "no access to files"},
		{name: "network", code: "await fetch('http://127.0.0.1:9999/')", phase: sandbox.PhaseRuntimeError, want: "NotCapable: Requires net access"},
		{name: "dynamic import of a file", code: "const url = 'file:///etc/passwd';\nawait import(url, { with: { type: 'text' } })", phase: sandbox.PhaseRuntimeError, want: "Requires read access"},
		{name: "exit", code: "Deno.exit(0)", phase: sandbox.PhaseRuntimeError, want: "the process ended with status 0 before the program returned", hint: "do not call Deno.exit"},
		{name: "process exit", code: "process.exit(3)", phase: sandbox.PhaseRuntimeError, want: "the process ended with status 3"},
		{name: "promise that never settles", code: "await new Promise(() => {})", phase: sandbox.PhaseRuntimeError, want: "the program waits for a promise that nothing will settle", hint: "resolve is never called"},

		{name: "endless loop", code: "for (;;) {}", phase: sandbox.PhaseTimeout, want: "the program was stopped after 1.5s", hint: "loop that does not end", timeout: shortTimeout},
		{name: "endless wait for a call", code: "import { hang } from './mcp/echo';\nawait hang()", phase: sandbox.PhaseTimeout, want: "stopped after 1.5s", hint: "waiting for echo.hang", timeout: shortTimeout},
		{name: "endless microtasks", code: "for (;;) await null", phase: sandbox.PhaseTimeout, want: "stopped after 1.5s", timeout: shortTimeout},
		{name: "stops itself", code: "process.kill(process.pid, 'SIGSTOP')", phase: sandbox.PhaseTimeout, want: "stopped after 1.5s", timeout: shortTimeout, bare: true},
		{name: "heap", code: "const a: unknown[] = [];\nfor (;;) a.push(new Array(1000).fill(Math.random()))", phase: sandbox.PhaseMemory, want: "more than its 64 MB of memory", hint: "smaller parts"},
		{name: "buffers", code: "const a: unknown[] = [];\nfor (;;) a.push(new Uint8Array(8 << 20).fill(1))", phase: sandbox.PhaseMemory, want: "more than its 64 MB of memory"},
		{name: "processor time", code: "for (;;) {}", phase: sandbox.PhaseTimeout, want: "used up its 3s of processor time"},
		{name: "kills itself", code: "process.kill(process.pid, 'SIGKILL');\nfor (;;) {}", phase: sandbox.PhaseKilled, want: "ended by a signal (killed)", bare: true},
		{name: "aborts", code: "process.abort()", phase: sandbox.PhaseKilled, want: "ended by a signal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := echoProgram(test.code)
			p.Timeout = test.timeout
			s := s
			if test.bare {
				s = bare
			}
			result := run(t, s, p)
			if result.Phase != test.phase {
				t.Fatalf("phase %s (%v), want %s", result.Phase, result.Error, test.phase)
			}
			if !strings.Contains(result.Error.Error(), test.want) {
				t.Errorf("error is\n%s\nwant in it\n%s", result.Error, test.want)
			}
			if !strings.Contains(result.Error.Hint, test.hint) {
				t.Errorf("hint is %q, want %q in it", result.Error.Hint, test.hint)
			}
			if len(result.Error.Message) > 10_000 {
				t.Errorf("message has %d bytes", len(result.Error.Message))
			}
		})
	}
}

func TestMissingIsExplainedByTheHost(t *testing.T) {
	s := newSandbox(t, nil)
	for _, test := range []struct{ name, code, want string }{
		{"module", "import './mcp/other';\n1", `line 1, column 8: ImportError: ask for ./mcp/other ""`},
		{"export", "import * as echo from './mcp/echo';\necho.shout();\necho.cry()", "line 2, column 6: ImportError: ask for ./mcp/echo \"shout\"\nask for ./mcp/echo \"cry\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := echoProgram(test.code)
			p.Missing = func(module, export string) string { return fmt.Sprintf("ask for %s %q", module, export) }
			result := run(t, s, p)
			if result.Phase != sandbox.PhaseRejected || result.Error.Error() != test.want {
				t.Errorf("%s %v\nwant %s", result.Phase, result.Error, test.want)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	s := newSandbox(t, &sandbox.Options{MaxOutput: 1000})
	t.Run("streams", func(t *testing.T) {
		var logs []string
		p := echoProgram(`
			console.log("a", { b: [1] });
			console.info("c"); console.debug("d");
			console.warn("e"); console.error("f");
			console.table([{ g: 1 }]);
			Deno.stdout.writeSync(new TextEncoder().encode("raw\n"));
			process.stdout.write("node\n");
			process.stderr.write("err\n");`)
		p.OnLog = func(l sandbox.Log) { logs = append(logs, l.Level.String()+" "+l.Message) }
		result := run(t, s, p)
		stdout := "a { b: [ 1 ] }\nc\nd\n┌───────┬───┐\n│ (idx) │ g │\n├───────┼───┤\n│     0 │ 1 │\n└───────┴───┘\nraw\nnode\n"
		if diff := cmp.Diff(stdout, result.Stdout); diff != "" {
			t.Errorf("stdout (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff("e\nf\nerr\n", result.Stderr); diff != "" {
			t.Errorf("stderr (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"INFO a { b: [ 1 ] }", "INFO c", "DEBUG d", "WARN e", "ERROR f"}, logs[:5]); diff != "" {
			t.Errorf("logs (-want +got):\n%s", diff)
		}
	})
	t.Run("100 MB", func(t *testing.T) {
		result := run(t, s, echoProgram(`
			const line = "x".repeat(99_999);
			for (let i = 0; i < 1000; i++) console.log(line);
			return "done"`))
		if result.Phase != sandbox.PhaseOK || string(result.Value) != `"done"` {
			t.Errorf("%s %s %v", result.Phase, result.Value, result.Error)
		}
		if result.StdoutBytes != 100_000_000 || !strings.HasPrefix(result.Stdout, "[cut: the first 1000 of 100000000 bytes]\nxxx") || len(result.Stdout) > 1100 {
			t.Errorf("%d bytes, kept %d: %.60q", result.StdoutBytes, len(result.Stdout), result.Stdout)
		}
	})
	t.Run("100 MB in one raw line", func(t *testing.T) {
		result := run(t, s, echoProgram(`
			const part = new Uint8Array(1_000_000).fill(120);
			for (let i = 0; i < 100; i++) for (let n = 0; n < part.length;) n += Deno.stdout.writeSync(part.subarray(n));
			return "done"`))
		if result.Phase != sandbox.PhaseOK || result.StdoutBytes != 100_000_000 {
			t.Errorf("%s, %d bytes: %v", result.Phase, result.StdoutBytes, result.Error)
		}
	})
	t.Run("is kept when the program fails", func(t *testing.T) {
		p := echoProgram("console.log('before'); for (;;) {}")
		p.Timeout = shortTimeout
		if result := run(t, s, p); result.Stdout != "before\n" {
			t.Errorf("stdout is %q", result.Stdout)
		}
	})
	t.Run("is made safe", func(t *testing.T) {
		result := run(t, s, echoProgram(`console.log("\x1b[2J\x07\u202e\r\n"); Deno.stdout.writeSync(new Uint8Array([0xff, 0x0a]))`))
		if want := "\ufffd[2J\ufffd\ufffd\n\n\ufffd\n"; result.Stdout != want {
			t.Errorf("stdout is %q, want %q", result.Stdout, want)
		}
	})
	t.Run("cannot pass for a frame", func(t *testing.T) {
		result := run(t, s, echoProgram(`
			const body = new TextEncoder().encode('{"type":"result","value":"forged"}');
			const frame = new Uint8Array(20 + body.length);
			new DataView(frame.buffer).setUint32(16, body.length);
			frame.set(body, 20);
			Deno.stdout.writeSync(frame);
			Deno.stdout.writeSync(frame.subarray(16));
			return "honest"`))
		if string(result.Value) != `"honest"` {
			t.Errorf("value %s", result.Value)
		}
	})
	t.Run("V8's crash report is not the program's", func(t *testing.T) {
		result := run(t, s, echoProgram("console.error('mine');\nconst a: unknown[] = [];\nfor (;;) a.push(new Array(1000).fill(Math.random()))"))
		if result.Stderr != "mine\n" {
			t.Errorf("stderr is %.200q", result.Stderr)
		}
	})
}

func TestValueOverTheLimit(t *testing.T) {
	s := newSandbox(t, &sandbox.Options{MaxValue: 100})
	result := run(t, s, echoProgram("Array.from({ length: 1000 }, (_, i) => i)"))
	var preview struct {
		Truncated bool
		Type      string
		Length    int
		Bytes     int
		Preview   string
	}
	if err := json.Unmarshal(result.Value, &preview); err != nil {
		t.Fatal(err)
	}
	if !preview.Truncated || preview.Type != "array" || preview.Length != 1000 || preview.Bytes != 3891 || !strings.HasPrefix(preview.Preview, "[0,1,2,") {
		t.Errorf("%+v", preview)
	}
}

func TestCalls(t *testing.T) {
	t.Run("overlap", func(t *testing.T) {
		s := newSandbox(t, nil)
		var together atomic.Int32
		all := make(chan struct{})
		p := echoProgram("import { say } from './mcp/echo';\nconst all = await Promise.all([1, 2, 3, 4].map((n) => say({ text: String(n) })));\nall.map((a) => a.text).join()")
		p.Call = func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
			if together.Add(1) == 4 {
				close(all) // nobody is answered before all have asked
			}
			select {
			case <-all:
				return c.Args, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		result := run(t, s, p)
		if string(result.Value) != `"1,2,3,4"` {
			t.Errorf("%s %s %v", result.Phase, result.Value, result.Error)
		}
		if len(result.Calls) != 4 {
			t.Errorf("%d calls in the ledger", len(result.Calls))
		}
	})
	t.Run("wait for a slot", func(t *testing.T) {
		s := newSandbox(t, &sandbox.Options{MaxInFlight: 2})
		var now, most atomic.Int32
		p := echoProgram("import { say } from './mcp/echo';\nawait Promise.all(Array.from({ length: 50 }, () => say({})));\n1")
		p.Call = func(context.Context, sandbox.Call) (json.RawMessage, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			return nil, nil
		}
		result := run(t, s, p)
		if result.Phase != sandbox.PhaseOK || most.Load() > 2 || len(result.Calls) != 50 {
			t.Errorf("%s, %d at a time, %d calls: %v", result.Phase, most.Load(), len(result.Calls), result.Error)
		}
	})
	t.Run("wait for their group", func(t *testing.T) {
		s := newSandbox(t, nil)
		var now, most atomic.Int32
		p := echoProgram("import { say, fail } from './mcp/echo';\nawait Promise.allSettled(Array.from({ length: 60 }, (_, i) => (i % 3 ? say : fail)({})));\n1")
		p.Limit = func(target string) (string, int) {
			if target == "echo.say" {
				return "say", 1
			}
			return "", 0
		}
		p.Call = func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
			if c.Target == "echo.say" {
				n := now.Add(1)
				defer now.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
			}
			return nil, nil
		}
		result := run(t, s, p)
		if result.Phase != sandbox.PhaseOK || most.Load() != 1 || len(result.Calls) != 60 {
			t.Errorf("%s, %d at a time, %d calls: %v", result.Phase, most.Load(), len(result.Calls), result.Error)
		}
	})
	t.Run("are limited in number", func(t *testing.T) {
		s := newSandbox(t, &sandbox.Options{MaxCalls: 3})
		result := run(t, s, echoProgram("import { say } from './mcp/echo';\nlet n = 0;\nfor (;;) { await say({}); n++; }"))
		if result.Phase != sandbox.PhaseRuntimeError || !strings.Contains(result.Error.Message, "echo.say was not called: a program may make 3 calls") || len(result.Calls) != 3 {
			t.Errorf("%s %v, %d calls", result.Phase, result.Error, len(result.Calls))
		}
	})
	t.Run("fail with data that can be caught", func(t *testing.T) {
		s := newSandbox(t, nil)
		result := run(t, s, echoProgram("import { fail } from './mcp/echo';\ntry { await fail({}) } catch (e: any) { return [e.name, e instanceof ToolError, e instanceof Error, e.message, e.data.code] }"))
		if want := `["ToolError",true,true,"echo.fail: no such record",404]`; string(result.Value) != want {
			t.Errorf("%s %v, want %s", result.Value, result.Error, want)
		}
		if diff := cmp.Diff("echo.fail: no such record", result.Calls[0].Error); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("that are open at the end are in the ledger", func(t *testing.T) {
		s := newSandbox(t, nil)
		result := run(t, s, echoProgram("import { hang, say } from './mcp/echo';\nhang(); await say({}); 'done'"))
		if result.Phase != sandbox.PhaseOK {
			t.Fatal(result.Phase, result.Error)
		}
		if result.Calls[0].Target != "echo.hang" || !strings.Contains(result.Calls[0].Error, "may or may not have taken effect") || result.Calls[1].Error != "" {
			t.Errorf("%+v", result.Calls)
		}
	})
	t.Run("answer 20 MB", func(t *testing.T) {
		s := newSandbox(t, nil)
		big, err := json.Marshal(strings.Repeat("é", 10<<20))
		if err != nil {
			t.Fatal(err)
		}
		p := echoProgram("import { say } from './mcp/echo';\n(await say({})).length")
		p.Call = func(context.Context, sandbox.Call) (json.RawMessage, error) { return big, nil }
		result := run(t, s, p)
		if string(result.Value) != "10485760" {
			t.Errorf("%s %s %v", result.Phase, result.Value, result.Error)
		}
	})
	t.Run("answer what is not JSON", func(t *testing.T) {
		s := newSandbox(t, nil)
		p := echoProgram("import { say } from './mcp/echo';\nawait say({})")
		p.Call = func(context.Context, sandbox.Call) (json.RawMessage, error) { return json.RawMessage("{"), nil }
		result := run(t, s, p)
		if result.Phase != sandbox.PhaseRuntimeError || !strings.Contains(result.Error.Message, "the host's answer is not JSON") {
			t.Errorf("%s %v", result.Phase, result.Error)
		}
	})
	t.Run("without a host", func(t *testing.T) {
		s := newSandbox(t, nil)
		result := run(t, s, &sandbox.Program{Code: "import { call } from 'conductor:bridge';\nawait call('x', {})"})
		if result.Phase != sandbox.PhaseRuntimeError || !strings.Contains(result.Error.Message, "cannot make calls") {
			t.Errorf("%s %v", result.Phase, result.Error)
		}
	})
}

func TestPatchedBuiltinsDoNotBreakTheRun(t *testing.T) {
	s := newSandbox(t, nil)
	result := run(t, s, echoProgram(`
		import { say } from './mcp/echo';
		JSON.stringify = () => "patched";
		JSON.parse = () => "patched";
		(Uint8Array.prototype as any).set = () => {};
		(TextEncoder.prototype as any).encode = () => new Uint8Array(0);
		(Object.prototype as any).then = undefined;
		Object.keys = () => [];
		String.prototype.slice = () => "";
		const a = await say({ text: "kept" });
		return [a.text, { b: 1 }];`))
	if string(result.Value) != `["kept",{"b":1}]` {
		t.Errorf("%s %s %v", result.Phase, result.Value, result.Error)
	}
}

func TestNothingIsInherited(t *testing.T) {
	t.Setenv("SECRET", "visible")
	t.Setenv("DENO_PERMISSION_BROKER_PATH", "/nonexistent")
	t.Setenv("DENO_V8_FLAGS", "--max-old-space-size=1")
	s := newSandbox(t, nil)
	result := run(t, s, echoProgram(`
		return [Deno.cwd().endsWith("cwd"), Deno.args, await Deno.permissions.query({ name: "env" }).then((p) => p.state)]`))
	if string(result.Value) != `[true,[],"prompt"]` {
		t.Errorf("%s %s %v", result.Phase, result.Value, result.Error)
	}
	// What Deno would keep in a folder from run to run is refused.
	result = run(t, s, echoProgram(`localStorage.setItem("a", "1")`))
	if result.Phase != sandbox.PhaseRuntimeError {
		t.Errorf("localStorage: %s %s", result.Phase, result.Value)
	}
}

func TestCancel(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	p := echoProgram("import { hang } from './mcp/echo';\nconsole.log('started');\nawait hang()")
	p.Call = func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
		cancel()
		return answer(ctx, c)
	}
	result, err := s.Run(ctx, p)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if result == nil || result.Phase != sandbox.PhaseCancelled || result.Stdout != "started\n" || len(result.Calls) != 1 {
		t.Errorf("result %+v", result)
	}
	if _, err := s.Run(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with an ended context: %v", err)
	}
}

func TestClose(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, nil)
	p := echoProgram("import { hang } from './mcp/echo';\nawait hang()")
	closed := make(chan error, 1)
	p.Call = func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
		go func() { closed <- s.Close() }()
		return answer(ctx, c)
	}
	result, err := s.Run(t.Context(), p)
	if !errors.Is(err, sandbox.ErrClosed) || result == nil || result.Phase != sandbox.PhaseCancelled {
		t.Errorf("Run during Close: %v %+v", err, result)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := s.Run(t.Context(), p); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("Run after Close: %v", err)
	}
}

func TestManyRuns(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{Timeout: 20 * time.Second, Isolation: sandbox.IsolationOff})
	codes := []string{
		"return 1", "throw 1", "Deno.exit(1)", "process.kill(process.pid, 'SIGKILL'); for (;;) {}", "const a = ;",
		"console.log('x'.repeat(1e6)); return 2", "import { say } from './mcp/echo';\nreturn (await say({ text: 'a' })).text",
	}
	results := make(chan sandbox.Phase)
	const runs = 56
	for i := range runs {
		go func() {
			result, err := s.Run(context.Background(), echoProgram(codes[i%len(codes)]))
			if err != nil {
				t.Error(err)
				results <- ""
				return
			}
			results <- result.Phase
		}()
	}
	count := map[sandbox.Phase]int{}
	for range runs {
		count[<-results]++
	}
	want := map[sandbox.Phase]int{sandbox.PhaseOK: 24, sandbox.PhaseRuntimeError: 16, sandbox.PhaseKilled: 8, sandbox.PhaseRejected: 8}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		name string
		opts sandbox.Options
		want string
	}{
		{"negative memory", sandbox.Options{Profile: sandbox.Profile{MemoryMB: -1}}, "Profile.MemoryMB is -1"},
		{"negative calls", sandbox.Options{MaxCalls: -1}, "Options.MaxCalls is -1"},
		{"negative timeout", sandbox.Options{Timeout: -1}, "Options.Timeout is -1ns"},
		{"long timeout", sandbox.Options{Timeout: time.Hour}, "Options.Timeout is 1h0m0s, want 0 to 5m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := sandbox.New(t.Context(), &test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want %q in it", err, test.want)
			}
		})
	}
	s := newSandbox(t, nil)
	if _, err := s.Run(t.Context(), &sandbox.Program{Code: "1", Timeout: time.Hour}); err == nil {
		t.Error("Run accepts a timeout of an hour")
	}
}
