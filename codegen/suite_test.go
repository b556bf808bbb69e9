package codegen_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/conductor/conductor/codegen"
	"github.com/google/go-cmp/cmp"
)

// suiteExceptions are the valid instances of the JSON Schema test suite that the
// generated types reject on purpose, by the reason: types say what the author of
// a schema means where JSON Schema, for the sake of its logic, allows more.
var suiteExceptions = map[string][]string{
	"keywords about objects or arrays imply the type; without one JSON Schema lets every other type pass": {
		"additionalProperties: additionalProperties being false does not allow other properties: ignores other non-objects",
		"additionalProperties: additionalProperties being false does not allow other properties: ignores strings",
		"items: a schema given for items: JavaScript pseudo-array is valid",
		"items: a schema given for items: ignores non-arrays",
		"items: an array of schemas for items: JavaScript pseudo-array is valid",
		"patternProperties: patternProperties validates properties matching a regex: ignores arrays",
		"patternProperties: patternProperties validates properties matching a regex: ignores other non-objects",
		"patternProperties: patternProperties validates properties matching a regex: ignores strings",
		"required: required properties whose names are Javascript object property names: ignores arrays",
		"required: required properties whose names are Javascript object property names: ignores other non-objects",
		"required: required validation: ignores arrays",
		"required: required validation: ignores boolean",
		"required: required validation: ignores null",
		"required: required validation: ignores other non-objects",
		"required: required validation: ignores strings",
	},
	"no type can tell names by a pattern; all names have the type of some pattern": {
		"patternProperties: regexes are not anchored by default and are case sensitive: regexes are case sensitive",
	},
}

// minRejected is the share of invalid instances that the types reject, in
// percent. Most others break a keyword that no type expresses, a format or a
// length or a number's range.
const minRejected = 25

// TestSuite generates the type of each schema of the JSON Schema test suite and
// asks the compiler about each of its instances. Every valid one has to be of
// the type, but for the exceptions below; of the invalid ones the share that the
// type rejects is reported and must not sink.
func TestSuite(t *testing.T) {
	type instance struct {
		name          string
		valid, format bool
	}
	files := make(map[string]string)
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
		// A type parameter infers the literal as it is, and does not complain
		// of properties in excess. An invalid instance is assigned, as a program
		// would do.
		fmt.Fprintf(&b, "import type { t } from %q; type T = Awaited<ReturnType<typeof t>>; function is<V extends T>(_: V) {}\n", "./"+module)
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
		switch in, known := instances[e.file][e.line]; {
		case !known:
			t.Errorf("%s:%d: %s %s\n%s", e.file, e.line, e.code, e.text, lineOf(files[e.file], e.line))
		case in.valid && (e.code == "TS2353" || e.code == "TS2559") && !strings.HasSuffix(e.text, "[]'."):
			// Every property is in excess where none is required.
		default:
			rejected[fmt.Sprint(e.file, e.line)] = true
		}
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
	var want []string
	for reason, names := range suiteExceptions {
		t.Logf("%2d valid instances rejected: %s", len(names), reason)
		want = append(want, names...)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, wrong); diff != "" {
		t.Errorf("valid instances that are rejected (-documented +found):\n%s", diff)
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
