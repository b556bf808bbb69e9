package conductor

import (
	"unicode"
	"unicode/utf8"
)

// EstimateTokens estimates how many tokens of a language model a text is, in one pass
// and without a vocabulary, from the lengths of its words and of what is between them.
//
// The weights were fitted to the vocabularies o200k and cl100k of OpenAI on the
// definitions of 1,700 tools of real MCP servers, their TypeScript, prompts, program
// text, JSON and English. For texts of 50 tokens and more half of the estimates are
// within 3 % of o200k, 95 of 100 within 9 %, and sums over many texts within 4 %; a list
// of names is off by up to 30 %. (Four bytes to a token is off by 8 % and 24 %.) Other
// vocabularies count differently, some by 20 % and more for the same text: it is good
// for comparing, and not for a bill.
func EstimateTokens(text string) int {
	var sum int // in hundredths of a token
	for i := 0; i < len(text); {
		start := i
		// One space belongs to the word or the sign behind it.
		if text[i] == ' ' && i+1 < len(text) && gluesSpace(text[i+1]) {
			i++
		}
		begin := i
		switch c := text[i]; {
		case isUpper(c) && (i+1 >= len(text) || !isLower(text[i+1])):
			i = skip(text, i, isUpper)
			sum += costOfCapitals(i - begin)
		case isUpper(c), isLower(c):
			i = skip(text, i+1, isLower)
			sum += costOfWord(i - begin)
		case isDigit(c):
			i = skip(text, i, isDigit)
			sum += (i - begin + 2) / 3 * 140
		case isSpace(c):
			var lines bool
			for i < len(text) && isSpace(text[i]) {
				lines = lines || text[i] == '\n'
				i++
			}
			sum += costOfSpace(i-start, lines)
		case c < utf8.RuneSelf:
			i = skip(text, i, isSign)
			sum += costOfSigns(i - begin)
		default:
			r, size := utf8.DecodeRuneInString(text[i:])
			i += size
			sum += costOfRune(r)
		}
	}
	return (sum + 50) / 100
}

func skip(text string, i int, is func(byte) bool) int {
	for i < len(text) && is(text[i]) {
		i++
	}
	return i
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
func isSign(c byte) bool {
	return c < utf8.RuneSelf && !isUpper(c) && !isLower(c) && !isDigit(c) && !isSpace(c)
}
func gluesSpace(c byte) bool { return !isDigit(c) && !isSpace(c) }

func costOfWord(letters int) int {
	switch {
	case letters <= 7:
		return 100
	case letters <= 11:
		return 122
	}
	return 150 + 40*(letters-12)
}

func costOfCapitals(letters int) int {
	if letters <= 3 {
		return 120
	}
	return 82 + 24*(letters-4)
}

func costOfSigns(signs int) int {
	switch signs {
	case 1:
		return 70
	case 2:
		return 108
	}
	return 92 + 33*(signs-3)
}

func costOfSpace(size int, lines bool) int {
	switch {
	case lines:
		return 85
	case size == 1:
		return 110
	}
	return 65
}

func costOfRune(r rune) int {
	switch {
	case r < 0x250: // Latin with accents: a part of a word
		return 90
	case r < 0x800 && unicode.IsLetter(r):
		return 25
	}
	return 75
}
