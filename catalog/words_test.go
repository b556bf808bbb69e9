package catalog

import (
	"strings"
	"testing"
)

func cosine(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := builtinVector(a), builtinVector(b)
	if x == nil || y == nil {
		t.Fatalf("%q or %q has no vector", a, b)
	}
	return dot(x, y)
}

// TestBuiltinMeaning has words that only meaning brings together, each with one that
// is further away.
func TestBuiltinMeaning(t *testing.T) {
	for _, tt := range [][3]string{
		{"mail", "email", "male"},
		{"buy", "purchase", "by"},
		{"repo", "repository", "report"},
		{"picture", "image", "pitcher"},
		{"movie", "film", "move"},
		{"doctor", "physician", "document"},
		{"delete a file", "remove_document", "create_file"},
		{"what's the temperature outside", "get_weather", "get_stock_price"},
		{"send money to a friend", "transfer_funds", "send_email"},
		{"pull request", "PullRequest", "merge branches"},
		{"Café", "cafe", "car"},
	} {
		near, far := cosine(t, tt[0], tt[1]), cosine(t, tt[0], tt[2])
		if near <= far || near < .2 {
			t.Errorf("%q is %.2f from %q, %.2f from %q", tt[0], near, tt[1], far, tt[2])
		}
	}
}

// TestBuiltinKeepsApart has names of other languages, and typing errors: they need
// not be understood, but must not be the same.
func TestBuiltinKeepsApart(t *testing.T) {
	for _, names := range []string{
		"obtener_clima crear_factura borrar_archivo", "wettervorhersage rechnung_erstellen datei_loeschen",
		"погода счёт файл", "天気予報 日历 날씨", "conteneur facture fichier",
	} {
		words := strings.Fields(names)
		for i, a := range words {
			for _, b := range words[i+1:] {
				x, y := builtinVector(a), builtinVector(b)
				if x != nil && y != nil && dot(x, y) > .9 {
					t.Errorf("%s and %s are the same: %.2f", a, b, dot(x, y))
				}
			}
		}
	}
	for _, none := range []string{"", "   ", "!!!", "qqqxyzzy"} {
		if builtinVector(none) != nil {
			t.Errorf("%q has a vector", none)
		}
	}
}

func TestWordTable(t *testing.T) {
	if n := len(wordsFile); n > 8<<20 {
		t.Errorf("the table has %d bytes, more than 8 MB", n)
	}
	for word, want := range map[string]bool{"email": true, "##s": true, "qqqxyzzy": false, "": false} {
		if got := builtinWords.find("", word) >= 0; got != want {
			t.Errorf("%q is there: %v, want %v", word, got, want)
		}
	}
	var rows []int
	if !builtinWords.pieces("emailing", func(row int) { rows = append(rows, row) }) || len(rows) != 2 {
		t.Errorf("emailing has the pieces %v, want two", rows)
	}
	sum := make([]float32, builtinWords.dims)
	if n := testing.AllocsPerRun(10, func() { builtinWords.add(sum, builtinWords.find("", "email"), 1) }); n > 0 {
		t.Errorf("reading the table allocates %v times", n)
	}
}

func BenchmarkBuiltinVector(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		builtinVector("I need to find a cheap hotel near the beach for two people in July and book it")
	}
}
