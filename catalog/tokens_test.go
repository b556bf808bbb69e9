package catalog

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTokenize(t *testing.T) {
	for text, want := range map[string]string{
		"create_issue":         "create issue",
		"create-issue.now":     "create issue now",
		"createIssue":          "create issue createissue",
		"CoreV1APIResources":   "core v1 api resources corev1apiresources",
		"HTTPServer":           "http server httpserver",
		"parseURLs":            "parse urls parseurls",
		"GitHub":               "git hub github",
		"CSV files":            "csv files",
		"base64 s3 k8s v2 mp3": "base 64 base64 s3 k8s v2 mp3",
		"user's don't users'":  "user dont users",
		"Café Größe naïve":     "cafe grosse naive",
		"cafe\u0301":           "cafe",
		"ΣΊΣΥΦΟΣ":              "σίσυφοσ",
		"天気予報 API":             "天気 気予 予報 api",
		"字":                    "字",
		"\xff\xfea\x00b":       "a b",
		"":                     "",
		"_.-":                  "",
	} {
		var got []string
		tokenize(text, func(w string) { got = append(got, w) })
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestTerms(t *testing.T) {
	for text, want := range map[string]string{
		"What is the weather in Paris?": "weath paris",
		"who":                           "who",
		"to be or not to be":            "to be or not to be",
	} {
		if got := strings.Join(terms(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestStem(t *testing.T) {
	for _, group := range []string{
		"create creates created creating creation creator creators",
		"delete deletes deleted deleting deletion",
		"query queries queried querying",
		"run runs running", "stop stops stopped stopping",
		"call calls called calling", "pass passes passed passing",
		"file files", "box boxes", "match matches matching", "branch branches",
		"analyze analysis analyses analyzing", "translate translation translator translating",
		"index indexes indices", "person people", "scan scanner scanning scans",
		"try tries tried trying", "company companies", "search searches searching searched",
	} {
		words := strings.Fields(group)
		for _, w := range words[1:] {
			if stem(w) != stem(words[0]) {
				t.Errorf("%s → %s, but %s → %s", words[0], stem(words[0]), w, stem(w))
			}
		}
	}
	for _, pair := range []string{"news new", "string str", "container contain", "status stat", "plane plan", "thing th", "bed b"} {
		a, b, _ := strings.Cut(pair, " ")
		if stem(a) == stem(b) {
			t.Errorf("%s and %s are both %s", a, b, stem(a))
		}
	}
}

func FuzzTokenize(f *testing.F) {
	for _, s := range []string{"createIssue", "HTTPServer2Go", "天気予報", "user's", "a\xffb", "é\u0301", "ǅ", "İstanbul", strings.Repeat("x", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var first []string
		tokenize(text, func(w string) {
			if w == "" || len(w) > maxTokenBytes || !utf8.ValidString(w) || strings.ContainsAny(w, " _.-\x00") {
				t.Errorf("word %q", w)
			}
			if s := stem(w); s == "" || len(s) > len(w)+1 {
				t.Errorf("stem of %q is %q", w, s)
			}
			first = append(first, w)
		})
		if len(first) > 2*len(text) {
			t.Errorf("%d words in %d bytes", len(first), len(text))
		}
		if v := builtinVector(text); v != nil {
			var squares float64
			for _, x := range v {
				squares += float64(x) * float64(x)
			}
			if math.Abs(squares-1) > 1e-5 {
				t.Errorf("the vector's length is %v", math.Sqrt(squares))
			}
		}
	})
}

func FuzzReadSchema(f *testing.F) {
	for _, s := range []string{`{"properties":{"a":{"description":"b","enum":["c",1]}}}`, `[[`, `{"properties":{"`, `"x"`, `{"items":{"items":{}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := readSchema(raw)
		if n := len(got.names) + len(got.prose); n > maxSchemaNodes {
			t.Errorf("read %d texts", n)
		}
	})
}

func FuzzLessons(f *testing.F) {
	l := newLessons()
	l.add("a.b", kindTerm, termKey(7), 3, 20_000)
	l.add("a.b", kindNext, "c.d", 3, 20_000)
	data, err := l.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"tools":{"a.b":{"terms":{"x":[1,2,3]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := decodeLessons(data)
		if err != nil || l == nil {
			return
		}
		l.merge(l.clone())
		again, err := l.encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodeLessons(again); err != nil || back == nil {
			t.Errorf("what was encoded is damaged: %v, %.200s", err, again)
		}
	})
}

func FuzzVector(f *testing.F) {
	f.Add(encodeVector([]float32{1, 2, 3}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v := decodeVector(data); v != nil && len(v) > len(data)/4 {
			t.Errorf("%d numbers in %d bytes", len(v), len(data))
		}
	})
}
