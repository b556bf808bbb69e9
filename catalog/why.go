package catalog

import (
	"slices"
	"sort"
)

// Why tells what made a tool a hit.
type Why struct {
	// Named is set if the query names the tool.
	Named bool
	// Words are the words of the query that are in the tool's text, as they were
	// written but for capitals and accents, or, of a word that was mistyped, as it is in
	// the tool's text. At most 8.
	Words []string
	// Learned are words of the query that have led to the tool before. At most 8.
	Learned []string
	// Cosine is the likeness of the query's vector and the tool's, the greatest if
	// there are several texts; 0 without vectors.
	Cosine float64
}

const maxWhy = 8

// why explains a hit.
func (s *search) why(n int, named bool) Why {
	d, seg := s.snap.at(n)
	g := s.snap.segments[seg]
	at := int32(n - s.snap.base[seg])
	w := Why{Named: named}
	for i, r := range s.runs[:len(s.texts)] {
		if r.vec != nil && d.vec != nil {
			w.Cosine = max(w.Cosine, dot(r.vec, d.vec))
		}
		written := make(map[string]string)
		tokenizeParts(s.texts[i], func(word string) {
			if st := stem(word); written[st] == "" {
				written[st] = word
			}
		})
		for j, t := range r.terms {
			word := written[t]
			if word == "" {
				word = t
			}
			if u, ok := g.terms[t]; ok && len(w.Words) < maxWhy && !slices.Contains(w.Words, word) {
				list := g.postings[u.start:u.end]
				if k := sort.Search(len(list), func(k int) bool { return list[k].doc >= at }); k < len(list) && list[k].doc == at {
					w.Words = append(w.Words, word)
				}
			}
			if r.learned != nil && len(w.Learned) < maxWhy && !slices.Contains(w.Learned, word) &&
				slices.ContainsFunc(r.learned[j], func(h hint) bool { return h.doc == n }) {
				w.Learned = append(w.Learned, word)
			}
		}
	}
	return w
}
