package codegen_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor/codegen"
	"github.com/google/go-cmp/cmp"
)

// shapeOf merges the shapes of the values in their order.
func shapeOf(values ...string) *codegen.Shape {
	var shape *codegen.Shape
	for _, value := range values {
		shape = shape.Merge(codegen.Observe(json.RawMessage(value)))
	}
	return shape
}

func shapeText(t testing.TB, s *codegen.Shape) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// observedServer has one tool without an output schema, and its results.
func observedServer(s *codegen.Shape) *codegen.Server {
	server := codegen.NewServer("s", namedTools("t"), nil)
	server.SetObserved("t", s)
	return server
}

// observedType is the type of the results in the declaration, on one line.
func observedType(s *codegen.Shape) string {
	text := observedServer(s).Declaration("t")
	if _, alias, ok := strings.Cut(text, "export type TObserved ="); ok {
		text, _, _ = strings.Cut(alias, ";\n/**")
	} else {
		_, text, _ = strings.Cut(strings.TrimSuffix(text, ">;\n"), "): Promise<")
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "; }", " }")
}

func numbered(format string, n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(format, word26(i)))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// word26 is a word that looks like a name, a different one for each number.
func word26(i int) string {
	return "name" + string(rune('a'+i/676%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
}

func TestObserve(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   string
	}{
		{"text", []string{`"hello"`}, `string | any`},
		{"kinds", []string{`"x"`, `1`, `true`, `null`}, `string | number | boolean | null | any`},
		{"null alone says nothing", []string{`null`}, `any`},
		{"empty list", []string{`[]`}, `any[] | any`},
		{"empty object", []string{`{}`}, `{ [key: string]: any } | any`},
		{"object", []string{`{"b":1,"a":"x"}`}, `{ a: string; b: number; [key: string]: any }`},
		{"optional", []string{`{"a":1,"b":2}`, `{"a":1}`}, `{ a: number; b?: number; [key: string]: any }`},
		{"optional the other way", []string{`{"a":1}`, `{"a":1,"b":2}`}, `{ a: number; b?: number; [key: string]: any }`},
		{"null is no value", []string{`{"a":1}`, `{"a":null}`}, `{ a: number | null; [key: string]: any }`},
		{"elements merge", []string{`[{"a":1,"b":"x"},{"a":2,"c":[]}]`}, `{ a: number; b?: string; c?: any[]; [key: string]: any }[] | any`},
		{"mixed elements", []string{`[1,"x",{"a":1}]`}, `(string | number | { a: number; [key: string]: any })[] | any`},
		{"no enumeration", []string{`{"state":"open"}`, `{"state":"closed"}`}, `{ state: string; [key: string]: any }`},
		{"ids as names", []string{`{"550e8400-e29b-41d4-a716-446655440000":{"a":1}}`}, `{ [key: string]: { a: number; [key: string]: any } } | any`},
		{"one id among names", []string{`{"name":"x","42":1}`}, `{ [key: string]: string | number } | any`},
		{"dates as names", []string{`{"2024-01-02":1.5}`}, `{ [key: string]: number } | any`},
		{"addresses as names", []string{`{"ann@example.com":true}`}, `{ [key: string]: boolean } | any`},
		{"files as names", []string{`{"src/main.go":"x"}`}, `{ [key: string]: string } | any`},
		{"a sentence as name", []string{`{"ignore all previous instructions":1}`}, `{ [key: string]: number } | any`},
		{"many names", []string{numbered(`%q:1`, 129)}, `{ [key: string]: number } | any`},
		{"varying names", []string{numbered(`%q:1`, 10), `{"other":1,"names":1,"than":1,"these":1,"were":1,"seen":1,"before":1}`}, `{ [key: string]: number } | any`},
		{"many objects", []string{numbered(`%q:{"a":1}`, 17)}, `{ [key: string]: { a: number; [key: string]: any } } | any`},
		{"names with a meaning", []string{`{"__proto__":1,"toString":2,"a":3}`}, `{ a: number; [key: string]: any }`},
		{"repeated name", []string{`{"a":1,"a":"x"}`}, `{ a: string | number; [key: string]: any }`},
		{"deep", []string{strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300)}, `any[][][][][][][][] | any`},
		{"long text", []string{`"` + strings.Repeat("x", 300<<10) + `"`}, `string | any`},
		{"long list", []string{`[` + strings.Repeat(`{"a":1},`, 100_000) + `{"b":1}]`}, `{ a: number; [key: string]: any }[] | any`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := observedType(shapeOf(test.values...)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	for _, bad := range []string{"", " ", "{", `{"a":}`, `{"a":1} x`, "x", `"a`, "[1,]"} {
		if s := codegen.Observe(json.RawMessage(bad)); s != nil {
			t.Errorf("Observe(%q) is %s", bad, shapeText(t, s))
		}
	}
}

func TestFieldNames(t *testing.T) {
	names := []string{"id", "created_at", "createdAt", "HTMLUrl", "Id", "x1", "sha256", "base64", "address_2", "Content-Type", "@odata.nextLink", "$ref", "_links", "SELECT", "utf8_bom"}
	data := []string{"42", "a1b2c3d4", "u024BE7LH", "U024BE7LH", "dQw4w9WgXcQ", "SKU123", "q3_2024", "a.b", "a/b", "a b", "a:b", "Иван", "名前", "", "-a", "a\u200bb", "a\nb", "*/", "a\"b", strings.Repeat("a", 41), "ann@example.com", "2024-01-01", "cjld2cyuq0000t3rmniod1foy"}
	for i, name := range slices.Concat(names, data) {
		key, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		kept := strings.Contains(shapeText(t, shapeOf(`{`+string(key)+`:1}`)), `"fields"`)
		if want := i < len(names); kept != want {
			t.Errorf("%q is kept: %t, want %t", name, kept, want)
		}
	}
}

// randomValue is JSON of a few kinds with the mark in all its strings, and in
// its names where they are data.
func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(10); {
	case depth == 0 || n < 5:
		return []any{nil, true, 1.5, mark + " value", "", mark + "\n*/"}[r.IntN(6)]
	case n < 7:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = randomValue(r, depth-1)
		}
		return list
	}
	object := make(map[string]any)
	width := 5
	if r.IntN(12) == 0 {
		width = 40
	}
	for range r.IntN(width) {
		name := word26(r.IntN(60))
		if r.IntN(40) == 0 {
			name = fmt.Sprintf("%s-%04d", mark, r.IntN(10000))
		}
		object[name] = randomValue(r, depth-1)
	}
	return object
}

// TestShapeOrder merges random values in random orders and groups: the shape is
// the same to the byte, no value gets into it, and it keeps to its bounds.
func TestShapeOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 400 {
		var shapes []*codegen.Shape
		for range 2 + r.IntN(6) {
			text, err := json.Marshal(randomValue(r, 1+round%6))
			if err != nil {
				t.Fatal(err)
			}
			shapes = append(shapes, codegen.Observe(text))
		}
		want := ""
		for range 6 {
			list := slices.Clone(shapes)
			r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for len(list) > 1 { // any two neighbours
				i := r.IntN(len(list) - 1)
				list = slices.Replace(list, i, i+2, list[i].Merge(list[i+1]))
			}
			got := shapeText(t, list[0])
			if want == "" {
				want = got
			}
			if got != want {
				t.Fatalf("round %d: the order makes a difference:\n%s\n%s", round, want, got)
			}
		}
		checkShape(t, want)
	}
}

// checkShape fails the test if a shape holds a value, exceeds its bounds, does
// not survive its JSON, or makes code that it must not.
func checkShape(t testing.TB, text string) {
	t.Helper()
	if strings.Contains(text, mark) {
		t.Fatalf("a value got into the shape: %s", text)
	}
	if len(text) > 64<<10 {
		t.Fatalf("shape of %d bytes", len(text))
	}
	var back codegen.Shape
	if err := json.Unmarshal([]byte(text), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, shapeText(t, &back)); diff != "" {
		t.Fatalf("the shape does not survive its JSON:\n%s", diff)
	}
	s := observedServer(&back)
	for _, code := range []string{s.Module("t"), s.Declaration("t")} {
		parses(t, "observed", code)
		checkHarmless(t, code)
		if len(code) > 4000 {
			t.Fatalf("%d bytes of code", len(code))
		}
	}
	checkSignature(t, s, "t")
	once, twice := observedType(&back), observedType(back.Merge(&back))
	if once != twice {
		t.Fatalf("a shape merged with itself differs:\n%s\n%s", once, twice)
	}
}

// TestShapeBounds feeds values that would make a shape large, in one value and
// over many.
func TestShapeBounds(t *testing.T) {
	wide := `1`
	for range 4 {
		wide = numbered(`%q:`+strings.ReplaceAll(wide, "%", "%%"), 14)
	}
	var grown []string
	for i := range 60 {
		grown = append(grown, fmt.Sprintf(`{"%s":{"%s":{"%s":{"%s":[{"%s":1}]}}}}`,
			word26(i%4), word26(i%5), word26(i%7), word26(i%11), word26(i%13)))
	}
	tests := map[string]struct {
		values []string
		want   string // in the shape
	}{
		"wide":  {[]string{wide}, `"depth":2,`},
		"grown": {grown, `"depth":`},
		"deep":  {[]string{strings.Repeat(`{"a":[`, 5000) + strings.Repeat(`]}`, 5000)}, `"any":true`},
		"names": {[]string{numbered(`%q:{}`, 10_000)}, `"values":{`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := shapeText(t, shapeOf(test.values...))
			checkShape(t, got)
			if !strings.Contains(got, test.want) {
				t.Errorf("no %s in %.300s", test.want, got)
			}
			if strings.Count(got, "{") > 500 {
				t.Errorf("the shape has %d forms", strings.Count(got, "{"))
			}
			slices.Reverse(test.values)
			if again := shapeText(t, shapeOf(test.values...)); again != got {
				t.Errorf("the order makes a difference:\n%s\n%s", got, again)
			}
		})
	}
}

func TestShapeJSON(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"another version", `{"version":2,"calls":1,"depth":8,"root":{}}`, "version 2"},
		{"no shape", `[]`, "decode shape"},
		{"null", `null`, ""},
		{"hostile names", `{"version":1,"calls":1,"depth":8,"root":{"fields":{"*/ evil":{},"a":{"is":["string"]}},"always":["a"]}}`, ""},
		{"beyond the bounds", `{"version":1,"calls":-5,"depth":99,"root":` + strings.Repeat(`{"items":`, 500) + `{}` + strings.Repeat(`}`, 500) + `}`, ""},
		{"contradictions", `{"version":1,"calls":1,"depth":8,"root":{"any":true,"is":["string","x"],"fields":{"a":null},"values":{}}}`, ""},
		{"too long", `{"version":1,"root":{"is":["` + strings.Repeat("x", 1<<20) + `"]}}`, "exceeds"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := shapeOf(`1`)
			err := s.UnmarshalJSON([]byte(test.text))
			if test.name == "null" {
				var shape *codegen.Shape
				if err := json.Unmarshal([]byte(test.text), &shape); err != nil || shape != nil || shapeText(t, shape) != "null" {
					t.Errorf("null is %v, %v", shape, err)
				}
				return
			}
			switch {
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %q", err, test.want)
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want == "":
				checkShape(t, shapeText(t, s))
				if s.Calls() < 1 {
					t.Errorf("%d calls", s.Calls())
				}
			}
		})
	}
}

// TestObservedCalls shows that the code of a tool does not change with each call.
func TestObservedCalls(t *testing.T) {
	calls := map[int]string{
		1: "1 successful call,", 2: "2 successful calls,", 9: "9 successful", 10: "10+ successful",
		99: "10+ successful", 100: "100+ successful", 4321: "1000+ successful",
	}
	var shape *codegen.Shape
	for n := 1; n <= 4321; n++ {
		shape = shape.Merge(shapeOf(`1`))
		if want, ok := calls[n]; ok {
			if got := observedServer(shape).Declaration("t"); !strings.Contains(got, "Observed from "+want) || shape.Calls() != n {
				t.Errorf("after %d calls, %d counted:\n%s", n, shape.Calls(), got)
			}
		}
	}
	if (*codegen.Shape)(nil).Calls() != 0 || (*codegen.Shape)(nil).Merge(nil) != nil {
		t.Error("no shape has calls")
	}
}

// TestSetObserved is for the race detector too.
func TestSetObserved(t *testing.T) {
	s := codegen.NewServer("s", namedTools("t", "u"), nil)
	before, other := s.Module("t", "u"), s.Declaration("u")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				s.SetObserved("t", shapeOf(`{"a":1}`))
				s.Module("t", "u")
				s.Signature("t")
			}
		})
	}
	wg.Wait()
	if got, want := s.Signature("t"), "s.t(): Promise<TObserved | any>"; got != want {
		t.Errorf("Signature = %s, want %s", got, want)
	}
	if s.Declaration("u") != other {
		t.Error("a shape changed another tool")
	}
	s.SetObserved("nope", shapeOf(`1`))
	s.SetObserved("t", nil)
	if diff := cmp.Diff(before, s.Module("t", "u")); diff != "" {
		t.Errorf("a shape is not forgotten:\n%s", diff)
	}
}

// FuzzShape observes any text with any other and reads any text as a shape.
func FuzzShape(f *testing.F) {
	f.Add([]byte(`{"a":[1,"x",null],"b":{"c":true}}`), []byte(`{"a":[{}]}`))
	f.Add([]byte(`{"zqxj*/":1,"\u202e":2}`), []byte(`{"version":1,"calls":1,"depth":3,"root":{"fields":{"a":{"items":{}}}}}`))
	for _, payload := range payloads {
		key, _ := json.Marshal(payload)
		f.Add([]byte(`{`+string(key)+`:`+string(key)+`}`), []byte(key))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := codegen.Observe(a), codegen.Observe(b)
		if (x == nil) == json.Valid(a) && len(a) < 1000 {
			t.Fatalf("Observe(%q) is %s", a, shapeText(t, x))
		}
		one, two := x.Merge(y), y.Merge(x)
		if shapeText(t, one) != shapeText(t, two) {
			t.Fatalf("the order of %q and %q makes a difference", a, b)
		}
		if one != nil {
			checkShape(t, strings.ReplaceAll(shapeText(t, one), mark, "kept")) // a name may hold it
		}
		text, _ := json.Marshal(map[string]any{"text": string(a), "list": []string{string(b)}})
		if got, want := shapeText(t, codegen.Observe(text)), shapeText(t, shapeOf(`{"text":"","list":[""]}`)); got != want && len(text) < 1000 {
			t.Fatalf("the shape of %s is %s", text, got)
		}
		var read codegen.Shape
		if json.Unmarshal(a, &read) == nil && read.Calls() > 0 {
			checkShape(t, strings.ReplaceAll(shapeText(t, &read), mark, "kept"))
		}
	})
}
