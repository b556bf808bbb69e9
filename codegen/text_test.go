package codegen

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a b", "a b"},
		{"outer blanks", " \n\t a \n ", "a"},
		{"inner blanks", "a \t  b", "a b"},
		{"line ends", "a\r\nb\rc\u2028d\u2029e\u0085f", "a\nb\nc\nd\ne\nf"},
		{"empty lines", "a\n\n \n\nb", "a\n\nb"},
		{"indentation", "a\nb\n\t\t\t\t\t\t\t\t\t\tc", "a\nb\n        c"},
		{"common indentation", "a\n\n  b\n   c\n  d", "a\n\nb\n c\nd"},
		{"hidden", "a\x00\x1b\u200b\u202e\ufeff\U000e0041\ufe0f\u3164b", "ab"},
		{"not UTF-8", "a\xffb", "ab"},
		{"exact", strings.Repeat("é", 20), strings.Repeat("é", 20)},
		{"cut", strings.Repeat("é", 21), strings.Repeat("é", 20) + truncationMark},
		{"cut at a blank", strings.Repeat("a", 19) + " b c", strings.Repeat("a", 19) + truncationMark},
		{"only hidden", strings.Repeat("\u202e", 1<<20), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := cleanText(test.in, 20); got != test.want {
				t.Errorf("cleanText(%.40q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

func TestIdentifier(t *testing.T) {
	tests := []struct{ in, want string }{
		{"query", "query"}, {"get-tickets", "get_tickets"}, {"a  -- b", "a_b"}, {"1st", "_1st"}, {"", "_"}, {"!", "_"},
		{"delete", "delete_"}, {"Delete", "Delete"}, {"then", "then_"}, {"call", "call_"}, {"any", "any_"}, {"__proto__", "__proto___"},
		{"検索", "検索"}, {"é", "é"}, {"e\u0301", "e\u0301"}, {"\u0301e", "_\u0301e"}, {"𝒳", "_"}, {"a\u200db", "a_b"}, {"$a", "$a"},
		{strings.Repeat("a", 100), strings.Repeat("a", maxIdentifier)},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			if got := identifier(test.in); got != test.want {
				t.Errorf("identifier(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

// FuzzText checks the three functions that let a server's text into code.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "*/", "*\u200b/", `\`, `"`, "\u2028", "\U000e0041", "\xff", "@ts-ignore", "1st", "delete"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal([]byte(quote(s)), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("quote(%q) = %s, which is %q, %v", s, quote(s), back, err)
		}
		if strings.ContainsFunc(quote(s), hidden) {
			t.Errorf("quote(%q) has a hidden character", s)
		}
		clean := cleanText(s, 50)
		if n := utf8.RuneCountInString(clean); n > 50+10+len(truncationMark) {
			t.Errorf("cleanText(%q) has %d runes", s, n)
		}
		for line := range strings.SplitSeq(clean, "\n") {
			if strings.ContainsFunc(line, hidden) {
				t.Errorf("cleanText(%q) has a hidden character", s)
			}
		}
		if escaped := escapeComment(clean); strings.Contains(escaped, "*/") || strings.Contains(escaped, "@ts-") {
			t.Errorf("escapeComment(%q) = %q", clean, escaped)
		}
		for i, r := range identifier(s) {
			if i == 0 && !identifierStart(r) || !identifierPart(r) {
				t.Errorf("identifier(%q) = %q", s, identifier(s))
			}
		}
		if reservedWords[identifier(s)] {
			t.Errorf("identifier(%q) is reserved", s)
		}
	})
}
