package catalog

import "strings"

// stem brings the forms of an English word together: plural, -ed, -ing, -ion,
// -er, -or and a final e go ("creates", "created", "creating", "creation", "creator"
// all become "creat"). It is deliberately light: it works on the ending alone,
// leaves at least three letters, and does not touch words with anything but
// a–z in them.
func stem(w string) string {
	if len(w) < 4 {
		return w
	}
	for i := 0; i < len(w); i++ {
		if w[i] < 'a' || w[i] > 'z' {
			return w
		}
	}
	if s, ok := irregular[w]; ok {
		return s
	}
	w = singular(w)
	switch {
	case strings.HasSuffix(w, "ing") && stemmable(w[:len(w)-3]):
		w = undouble(w[:len(w)-3])
	case strings.HasSuffix(w, "ied") && len(w) > 4:
		w = w[:len(w)-3] + "y"
	case strings.HasSuffix(w, "ed") && stemmable(w[:len(w)-2]):
		w = undouble(w[:len(w)-2])
	case len(w) > 6 && (strings.HasSuffix(w, "tion") || strings.HasSuffix(w, "sion")):
		w = w[:len(w)-3]
	case len(w) > 6 && (strings.HasSuffix(w, "er") || strings.HasSuffix(w, "or")):
		w = undouble(w[:len(w)-2])
	case len(w) > 5 && strings.HasSuffix(w, "ly"):
		w = w[:len(w)-2]
	}
	if len(w) > 4 && w[len(w)-1] == 'e' {
		w = w[:len(w)-1]
	}
	// "query" and "queries", "try" and "tries" meet in i.
	if n := len(w); n > 3 && w[n-1] == 'y' && !vowel(w[n-2]) {
		w = w[:n-1] + "i"
	}
	return w
}

// irregular are frequent words that the rules would part or confuse.
var irregular = map[string]string{
	"news": "news", "plane": "plane", "planes": "plane", "series": "series", "status": "status",
	"analysis": "analy", "analyses": "analy", "analyze": "analy", "analyse": "analy",
	"analyzes": "analy", "analyzed": "analy", "analyzing": "analy", "analytics": "analy",
	"children": "child", "people": "person", "persons": "person",
	"indices": "index", "indexes": "index", "indexed": "index", "indexing": "index",
	"sent": "send", "bought": "buy", "wrote": "write", "written": "write", "writing": "write",
	"container": "container", "containers": "container", "customer": "customer",
	"customers": "customer", "director": "director", "directors": "director",
	"ran": "run", "found": "find", "made": "make", "making": "make", "took": "take",
	"need": "need", "feed": "feed", "speed": "speed", "string": "string", "thing": "thing",
}

func singular(w string) string {
	n := len(w)
	switch {
	case w[n-1] != 's' || strings.HasSuffix(w, "ss") || strings.HasSuffix(w, "us") || strings.HasSuffix(w, "is"):
		return w
	case strings.HasSuffix(w, "ies"):
		if n > 4 {
			return w[:n-3] + "y"
		}
		return w[:n-1] // "ties", "pies"
	case strings.HasSuffix(w, "sses"), strings.HasSuffix(w, "shes"), strings.HasSuffix(w, "ches"),
		strings.HasSuffix(w, "xes"), strings.HasSuffix(w, "zzes"):
		return w[:n-2]
	}
	return w[:n-1]
}

// stemmable reports whether what is left after -ing or -ed can be a word: three
// letters with a vowel among them ("string" and "bed" are not forms of anything).
func stemmable(w string) bool {
	return len(w) >= 3 && strings.ContainsAny(w, "aeiouy")
}

// undouble turns the "runn" of "running" into "run"; "call", "pass" and "buzz"
// keep theirs.
func undouble(w string) string {
	n := len(w)
	if n > 3 && w[n-1] == w[n-2] && !strings.ContainsRune("lsz", rune(w[n-1])) && !vowel(w[n-1]) {
		return w[:n-1]
	}
	return w
}

func vowel(b byte) bool {
	return b == 'a' || b == 'e' || b == 'i' || b == 'o' || b == 'u'
}
