package catalog

import (
	"strings"
	"unicode"
)

const (
	maxCorrections = 3 // words of one text
	leastCorrected = 4 // letters of a word that is corrected
)

// corrected returns the terms of a text, in which words that nobody knows, neither
// the catalog nor the built-in embedder, have the place of the term of the catalog
// that they resemble: people mistype, and models make up spellings.
func (s *snapshot) corrected(text string) []string {
	found := terms(text)
	var unknown []string
	tokenizeParts(text, func(w string) {
		if len(w) >= leastCorrected && len(unknown) < maxCorrections && !stopWords[w] && builtinWords.find("", w) < 0 && !strings.ContainsFunc(w, notLetter) {
			if st := stem(w); !s.has(st) {
				unknown = append(unknown, st)
			}
		}
	})
	for _, u := range unknown {
		if near := s.closest(u); near != "" {
			for i, t := range found {
				if t == u {
					found[i] = near
				}
			}
		}
	}
	return found
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// has tells whether a term is in any tool.
func (s *snapshot) has(term string) bool {
	return len(s.find(term, s.segments, nil)) > 0
}

// closest returns the term that differs least from one that is not there: by one
// insertion, deletion, replacement or swap, or by two in a long one. The first letter
// is the same: hardly anybody gets that wrong. Of several, the first in order wins.
func (s *snapshot) closest(term string) string {
	want := []rune(term)
	most := 1
	if len(want) >= 8 {
		most = 2
	}
	var m matrix
	best, distance := "", most+1
	try := func(t string) {
		if len(t) < leastCorrected-1 || t[0] != term[0] || len(t) > len(term)+4*most || len(t)+4*most < len(term) {
			return
		}
		runes := []rune(t)
		if len(runes) > len(want)+most || len(runes)+most < len(want) {
			return
		}
		if d := m.distance(want, runes); d < distance || d == distance && t < best {
			best, distance = t, d
		}
	}
	if s.dict != nil {
		for t := range s.dict.terms {
			try(t)
		}
	}
	for _, i := range s.loose {
		for t := range s.segments[i].terms {
			try(t)
		}
	}
	return best
}
