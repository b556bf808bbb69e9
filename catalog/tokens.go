package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxFieldBytes = 16 << 10 // of one text that is split into words
	maxTokenBytes = 64       // of one word; the rest of a longer one is dropped
)

// tokenize calls emit with the words of text: lower-cased, without accents, not
// stemmed, in order. Words end at everything that is not a letter, a digit or a
// mark; identifiers also split inside:
//
//	create_issue, create-issue, create.issue  create issue
//	createIssue, HTTPServer                   create issue createissue, http server httpserver
//	base64, s3, k8s, v2                       base 64 base64, s3, k8s, v2
//
// The joined form lets "GitHub" and "github" meet. Scripts
// written without spaces give overlapping pairs of characters, the usual
// stand-in for a dictionary.
func tokenize(text string, emit func(word string)) { splitWords(text, true, emit) }

// tokenizeParts is tokenize without the joined forms.
func tokenizeParts(text string, emit func(word string)) { splitWords(text, false, emit) }

func splitWords(text string, joined bool, emit func(word string)) {
	if len(text) > maxFieldBytes {
		text = text[:maxFieldBytes]
	}
	var word []byte  // the word so far, folded
	var whole []byte // the same since the last real boundary, for camel case
	parts := 0       // words emitted since then
	var prev rune
	letters := 0 // letters at the start of word, before any digit

	cut := func() {
		if len(word) > 0 {
			emit(string(word))
			parts++
		}
		word, letters = word[:0], 0
	}
	end := func() {
		cut()
		if joined && parts > 1 && len(whole) <= maxTokenBytes {
			emit(string(whole))
		}
		whole, parts = whole[:0], 0
		prev = 0
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		next := i + size
		switch {
		case unspaced(r):
			end()
			next = bigrams(text, i, emit)
		case unicode.IsLetter(r):
			if unicode.IsUpper(r) && len(word) > 0 {
				follow, _ := utf8.DecodeRuneInString(text[next:])
				if !unicode.IsUpper(prev) || // createIssue, v2Api
					(unicode.IsLower(follow) && !pluralAcronym(text[next:])) { // HTTPServer
					cut()
				}
			}
			if len(word) == letters {
				letters++
			}
			word, whole = appendFolded(word, r), appendFolded(whole, r)
			prev = r
		case unicode.IsNumber(r):
			if unicode.IsLetter(prev) && letters >= 3 && letters == len(word) {
				cut() // base64, but not s3 or k8s
			}
			word, whole = appendFolded(word, r), appendFolded(whole, r)
			prev = r
		case unicode.Is(unicode.Mn, r):
			// An accent written as its own character: the letter stands alone.
		case (r == '\'' || r == '’') && len(word) > 0:
			// "user's" is about the user, "don't" is one word.
			if follow, n := utf8.DecodeRuneInString(text[next:]); follow == 's' || follow == 'S' {
				if after, _ := utf8.DecodeRuneInString(text[next+n:]); !unicode.IsLetter(after) {
					next += n
				}
			} else if !unicode.IsLetter(follow) {
				end()
			}
		default:
			end()
		}
		i = next
	}
	end()
}

// pluralAcronym reports whether rest, which follows a capital, is the "s" of
// "URLs" and not the start of a word.
func pluralAcronym(rest string) bool {
	if !strings.HasPrefix(rest, "s") {
		return false
	}
	r, _ := utf8.DecodeRuneInString(rest[1:])
	return !unicode.IsLetter(r)
}

// appendFolded appends r in lower case and without its accent, unless the word
// is as long as words may be.
func appendFolded(word []byte, r rune) []byte {
	if len(word) > maxTokenBytes-utf8.UTFMax {
		return word
	}
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(word, byte(r))
	}
	// Upper before lower brings together letters with two lower-case forms.
	r = unicode.ToLower(unicode.ToUpper(r))
	if base, ok := unaccented[r]; ok {
		return append(word, base...)
	}
	return utf8.AppendRune(word, r)
}

// unaccented maps the accented Latin letters that tools and people mix with
// plain ones.
var unaccented = func() map[rune]string {
	m := make(map[rune]string)
	for _, line := range []string{
		"a àáâãäåāăą", "c çćĉċč", "d ďđ", "e èéêëēĕėęě", "g ĝğġģ", "h ĥħ", "i ìíîïĩīĭį",
		"j ĵ", "k ķ", "l ĺļľŀł", "n ñńņň", "o òóôõöøōŏő", "r ŕŗř", "s śŝşš", "t ţťŧ",
		"u ùúûüũūŭůűų", "w ŵ", "y ýÿŷ", "z źżž", "ae æ", "oe œ", "ss ß",
	} {
		base, letters, _ := strings.Cut(line, " ")
		for _, r := range letters {
			m[r] = base
		}
	}
	return m
}()

// unspaced reports whether r belongs to a script that is written without spaces
// between words, or (Hangul) with endings glued to them.
func unspaced(r rune) bool {
	if r < 0x0E00 {
		return false
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// bigrams emits each pair of neighbours in the run of unspaced characters that
// starts at text[i], or the one character of a run of one. It returns the index
// after the run.
func bigrams(text string, i int, emit func(string)) int {
	start, last, n := i, i, 0
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if !unspaced(r) {
			break
		}
		if n++; n > 1 {
			emit(text[last : i+size])
		}
		last = i
		i += size
	}
	if n == 1 {
		emit(text[start:i])
	}
	return i
}

// terms returns the stems of text without stop words, in order, with repeats. A
// text of stop words alone keeps them: it is all there is.
func terms(text string) []string {
	var out, stops []string
	tokenize(text, func(w string) {
		if stopWords[w] {
			stops = append(stops, stem(w))
			return
		}
		out = append(out, stem(w))
	})
	if len(out) == 0 {
		return stops
	}
	return out
}

// stopWords are the words of questions and of prose that say nothing about a
// tool. Verbs such as "get" and "list" are not among them: they tell tools apart.
var stopWords = func() map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(`
		a about above after again all also am an and any are as at be because been
		before being below between both but by can cannot could did do does doing dont
		down during each either else etc few for from further had has have having he
		her here hers him his how however i id ie eg if ill im in into is isnt it its itself
		ive just let lets like may me might more most much must my myself need no nor
		not now of off on once one only or other our ours out over own per please
		same shall she should so some such than that thats the their theirs them then
		there these they this those through to too under until up upon us very via
		want wants was we were what whats when where whether which while who whom whose
		why will with within without would you your yours yourself
		able currently help hey hi hello id interested know looking me
		something someone thanks thank tell trying various well`) {
		m[w] = true
	}
	return m
}()
