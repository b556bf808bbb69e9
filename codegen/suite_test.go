package codegen_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/conductor/conductor/codegen"
)

// minRejected is the share of invalid instances that the types reject, in
// percent. Most others break a keyword that no type expresses, a format or a
// length or a number's range.
const minRejected = 25

// openType opens the objects of a type. TypeScript finds names wrong that a type does
// not list, and an object that has none of those that it lists; JSON Schema does not.
const openType = `export type Open<T> = 0 extends 1 & T ? T // any
  : T extends unknown[] ? { [I in keyof T]: Open<T[I]> }
  : T extends object ? { [K in keyof T]: Open<T[K]> } & { [key: string]: unknown }
  : T;
`

// TestSuite generates the type of each schema of the JSON Schema test suite and
// asks the compiler about each of its instances. Every valid one has to be of the
// type; of the invalid ones the share that the type rejects is reported and must
// not sink.
func TestSuite(t *testing.T) {
	type instance struct {
		name          string
		valid, format bool
	}
	files := map[string]string{"open.ts": openType}
	instances := make(map[string]map[int]instance) // by file and line
	for i, row := range corpus(t, "jsts-draft7.jsonl") {
		var group struct {
			File, Description string
			Schema            json.RawMessage
			Tests             []struct {
				Description string
				Data        json.RawMessage
				Valid       bool
			}
		}
		if err := json.Unmarshal(row, &group); err != nil {
			t.Fatal(err)
		}
		s := codegen.NewServer("s", []codegen.Tool{{Name: "t", InputSchema: json.RawMessage(`{}`), OutputSchema: group.Schema}}, bridge)
		module, file := fmt.Sprintf("module%d.ts", i), fmt.Sprintf("suite%d.ts", i)
		files[module] = s.Module("t")
		var b strings.Builder
		// A type parameter infers the literal as it is. An invalid instance is
		// assigned to the type itself, as a program would do.
		fmt.Fprintf(&b, "import type { Open } from \"./open.ts\"; import type { t } from %q; type T = Awaited<ReturnType<typeof t>>; function is<V extends Open<T>>(_: V) {}\n", "./"+module)
		lines := make(map[int]instance)
		for j, test := range group.Tests {
			name := strings.TrimSuffix(group.File[strings.LastIndexByte(group.File, '/')+1:], ".json")
			lines[j+2] = instance{name + ": " + group.Description + ": " + test.Description, test.Valid, strings.Contains(group.File, "/format/")}
			if test.Valid {
				b.WriteString("is(" + literal(t, test.Data) + ");\n")
			} else {
				fmt.Fprintf(&b, "export const v%d: T = %s;\n", j, literal(t, test.Data))
			}
		}
		files[file], instances[file] = b.String(), lines
	}

	rejected := make(map[string]bool) // by file and line
	for _, e := range typeCheck(t, files) {
		if _, known := instances[e.file][e.line]; !known {
			t.Errorf("%s:%d: %s %s\n%s", e.file, e.line, e.code, e.text, lineOf(files[e.file], e.line))
		}
		rejected[fmt.Sprint(e.file, e.line)] = true
	}
	counts := map[bool][2]int{} // by validity: all, rejected
	var wrong []string
	typed := 0 // invalid instances that break more than a format
	for file, lines := range instances {
		for line, in := range lines {
			n := counts[in.valid]
			n[0]++
			if !in.valid && !in.format {
				typed++
			}
			if rejected[fmt.Sprint(file, line)] {
				n[1]++
				if in.valid {
					wrong = append(wrong, in.name)
				}
			}
			counts[in.valid] = n
		}
	}
	slices.Sort(wrong)
	for _, name := range wrong {
		t.Errorf("valid, and not of its type: %s", name)
	}
	t.Logf("%d valid instances, %d rejected", counts[true][0], counts[true][1])
	share := 100 * float64(counts[false][1]) / float64(counts[false][0])
	t.Logf("%d invalid instances, %d rejected: %.1f %%, or %.1f %% of the %d that are not about formats",
		counts[false][0], counts[false][1], share, 100*float64(counts[false][1])/float64(typed), typed)
	if share < minRejected {
		t.Errorf("the types reject only %.1f %% of the invalid instances", share)
	}
}

// literal writes JSON as a TypeScript expression. They differ in the property
// "__proto__", which sets the prototype, and in the line ends in strings.
func literal(t *testing.T, data json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`"__proto__":`, `["__proto__"]:`, "\u2028", `\u2028`, "\u2029", `\u2029`).Replace(b.String())
}
