package searcheval

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"unicode"
)

// The usual constants of BM25.
const (
	bm25K = 1.2
	bm25B = 0.75
)

// BM25 is plain BM25 over name and description, the baseline of the literature:
// words are lower-case runs of letters and digits, nothing is stemmed, left out or
// weighted, and servers and parameters are not looked at.
type BM25 struct {
	ids    []string
	length []float64
	mean   float64
	lists  map[string][]posting
}

type posting struct {
	doc int
	tf  float64
}

// NewBM25 indexes the tools of a set.
func NewBM25(set *Set) *BM25 {
	b := &BM25{lists: make(map[string][]posting)}
	total := 0.0
	for _, s := range set.Servers {
		for _, t := range s.Tools {
			t.Server = s.Name
			doc := len(b.ids)
			b.ids = append(b.ids, t.ID())
			counts := make(map[string]float64)
			words := plainWords(t.Name + " " + t.Description)
			for _, w := range words {
				counts[w]++
			}
			for w, n := range counts {
				b.lists[w] = append(b.lists[w], posting{doc, n})
			}
			b.length = append(b.length, float64(len(words)))
			total += float64(len(words))
		}
	}
	b.mean = max(total/float64(max(len(b.ids), 1)), 1)
	return b
}

// Rank returns the best tools for a query; ties are in order of id.
func (b *BM25) Rank(_ context.Context, q Query, limit int) ([]string, error) {
	scores := make(map[int]float64)
	n := float64(len(b.ids))
	for _, w := range plainWords(q.Text) {
		list := b.lists[w]
		df := float64(len(list))
		idf := math.Log(1 + (n-df+.5)/(df+.5))
		for _, p := range list {
			scores[p.doc] += idf * p.tf * (bm25K + 1) / (p.tf + bm25K*(1-bm25B+bm25B*b.length[p.doc]/b.mean))
		}
	}
	var docs []int
	for d := range scores {
		docs = append(docs, d)
	}
	slices.SortFunc(docs, func(x, y int) int {
		return cmp.Or(cmp.Compare(scores[y], scores[x]), cmp.Compare(b.ids[x], b.ids[y]))
	})
	var out []string
	for _, d := range docs[:min(limit, len(docs))] {
		out = append(out, b.ids[d])
	}
	return out, nil
}

func plainWords(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
