package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNearRunes   = 128 // of a name that is compared; longer ones are cut
	minResemblance = 0.6 // least likeness of a name that is near
	otherServer    = 0.9 // likeness of a tool named well, of another server
)

// Nearest returns the ids of the tools whose names resemble one that does not
// exist, best first, for "did you mean". The name is "server.tool" or "tool" with
// any mistakes: typing errors (edit distance, with neighbours swapped as one
// error), other separators, words in another order, the wrong server. It returns
// at most limit ids, and none when nothing is near; limit ≤ 0 means 3. Ties are
// in order of id.
func (c *Catalog) Nearest(name string, limit int) []string {
	if limit <= 0 {
		limit = 3
	}
	s := c.snapshot()
	want := newSpelling(name)
	if len(want.runes) == 0 {
		return nil
	}
	// The part after any dot may be the tool, the part before it a server.
	var tails []spelling
	for i := range len(name) {
		if name[i] == '.' && len(tails) < 4 {
			if t := newSpelling(name[i+1:]); len(t.runes) > 0 {
				tails = append(tails, t)
			}
		}
	}
	type near struct {
		id    string
		score float64
	}
	var found []near
	var m matrix
	for _, g := range s.segments {
		for i := range g.docs {
			d := &g.docs[i]
			tool := newSpelling(d.tool.Name)
			score := max(m.likeness(want, newSpelling(d.id)), m.likeness(want, tool))
			for _, t := range tails {
				score = max(score, otherServer*m.likeness(t, tool))
			}
			if score >= minResemblance {
				found = append(found, near{d.id, score})
			}
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.id, b.id))
	})
	var out []string
	for _, f := range found {
		if len(out) == limit {
			break
		}
		if !slices.Contains(out, f.id) {
			out = append(out, f.id)
		}
	}
	return out
}

// spelling is a name prepared for comparison.
type spelling struct {
	runes []rune   // lower case, separators all the same
	words []string // stems, sorted, each once
}

func newSpelling(name string) spelling {
	var s spelling
	for _, r := range clip(name, maxNearRunes) {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			r = unicode.ToLower(r)
		} else {
			r = '_'
		}
		s.runes = append(s.runes, r)
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r)) }) {
		return spelling{}
	}
	tokenizeParts(clip(name, maxNearRunes), func(w string) { s.words = append(s.words, stem(w)) })
	slices.Sort(s.words)
	s.words = slices.Compact(s.words)
	return s
}

// matrix holds three rows of an edit distance.
type matrix [3][]int

// likeness is 1 for equal names and 0 for names with nothing in common: the
// better of spelling and words. Words count .95, so that of two tools with the
// same words the one in the same order comes first.
func (m *matrix) likeness(a, b spelling) float64 {
	best := 0.0
	if n := sharedWords(a.words, b.words); n > 0 {
		best = .95 * 2 * float64(n) / float64(len(a.words)+len(b.words))
	}
	la, lb := len(a.runes), len(b.runes)
	long := max(la, lb)
	// The distance is at least the difference in length.
	if long > 0 && 1-float64(long-min(la, lb))/float64(long) > best {
		best = max(best, 1-float64(m.distance(a.runes, b.runes))/float64(long))
	}
	return best
}

// sharedWords counts the words that two sorted lists share.
func sharedWords(a, b []string) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch c := strings.Compare(a[0], b[0]); {
		case c == 0:
			n++
			a, b = a[1:], b[1:]
		case c < 0:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return n
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours between a and b (optimal string alignment).
func (m *matrix) distance(a, b []rune) int {
	for i := range m {
		m[i] = slices.Grow(m[i][:0], len(b)+1)[:len(b)+1]
	}
	before, last, row := m[0], m[1], m[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			step := 1
			if a[i-1] == b[j-1] {
				step = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+step)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
