package catalog

import (
	"math"
	"slices"
)

// BM25F (Robertson, Zaragoza, Taylor 2004): term frequencies are normalised by
// the length of their field, weighted and added up over the fields, and the sum
// is saturated once, so that a word in name and description does not count as
// two words.
const (
	bm25K       = 1.2  // how soon more occurrences stop to matter
	serverShare = 0.3  // weight of the server document beside words and vectors
	hintShare   = 1.0  // the same when the query names a kind of server
	serverB     = 0.75 // length normalisation of the server document
)

// fieldWeight and fieldB are the weight and the length normalisation of each
// field. Names and parameter lists are short for reasons of style, not of
// emphasis, so their length counts less than that of prose.
var (
	fieldWeight = [numFields]float64{fieldName: 2, fieldTitle: 1, fieldDescription: 1, fieldServer: 1, fieldParam: .5, fieldParamText: .3}
	fieldB      = [numFields]float64{fieldName: .5, fieldTitle: .5, fieldDescription: .75, fieldServer: .3, fieldParam: .75, fieldParamText: .75}
)

// queryTerms returns the terms of a query, each once: in a long question the
// repeated words are seldom those that name the tool.
func queryTerms(words []string) []string {
	var out []string
	for _, w := range words {
		if len(out) < maxQueryTerms && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// maxQueryTerms bounds the work of a query: no question has more words that
// matter, a pasted page has.
const maxQueryTerms = 128

// lexical fills sc.words with the BM25F score of every document for terms, as a
// share of the best conceivable score, and sc.touched with the documents that
// have one. Learned has, for each term, what was learned of it; it may be nil. It returns the standard deviation over all documents.
func (s *snapshot) lexical(terms []string, learned [][]hint, sc *scratch) float64 {
	sc.reset(s.len())
	n := float64(s.len())
	ideal := 0.0
	// The length normalisation is linear in the length: a + b·length.
	var a, b [numFields]float64
	for f := range numFields {
		a[f] = 1 - fieldB[f]
		b[f] = fieldB[f] / s.average(f)
	}
	for i, t := range terms {
		var more []hint
		if learned != nil {
			more = learned[i]
		}
		sc.uses = s.find(t, s.segments, sc.uses[:0])
		df := 0
		for _, u := range sc.uses {
			df += int(u.end - u.start)
		}
		df = max(df, len(more)) // both know of some the other does not
		idf := math.Log(1 + (n-float64(df)+.5)/(float64(df)+.5))
		ideal += idf
		add := func(at int, tf float64) {
			if sc.words[at] == 0 {
				sc.touched = append(sc.touched, int32(at))
			}
			sc.words[at] += float32(idf * tf / (bm25K + tf))
		}
		for _, u := range sc.uses {
			seg, base := s.segments[u.seg], s.base[u.seg]
			for _, p := range seg.postings[u.start:u.end] {
				d := &seg.docs[p.doc]
				tf := 0.0
				for f, n := range p.tf {
					if n > 0 {
						tf += fieldWeight[f] * float64(n) / (a[f] + b[f]*float64(d.length[f]))
					}
				}
				at := base + int(p.doc)
				for len(more) > 0 && more[0].doc <= at {
					if more[0].doc == at {
						tf += more[0].weight
					} else {
						add(more[0].doc, more[0].weight)
					}
					more = more[1:]
				}
				add(at, tf)
			}
		}
		for _, m := range more {
			add(m.doc, m.weight)
		}
	}
	if ideal == 0 {
		return 0
	}
	var sum, squares float64
	for _, at := range sc.touched {
		sc.words[at] /= float32(ideal)
		v := float64(sc.words[at])
		sum += v
		squares += v * v
	}
	return deviation(sum, squares, n)
}

// serverScores fills sc.servers with the BM25 score of every server document, as
// a share of the best conceivable score, and returns the standard deviation.
func (s *snapshot) serverScores(terms []string, sc *scratch) float64 {
	n := len(s.segments)
	sc.servers = append(sc.servers[:0], make([]float64, n)...)
	if n < 2 {
		return 0
	}
	ideal := 0.0
	average := s.serverAverage()
	for _, t := range terms {
		sc.uses = slices.DeleteFunc(s.find(t, s.segments, sc.uses[:0]), func(u located) bool { return u.server == 0 })
		df := len(sc.uses)
		idf := math.Log(1 + (float64(n-df)+.5)/(float64(df)+.5))
		ideal += idf
		for _, u := range sc.uses {
			tf := float64(u.server) / (1 - serverB + serverB*float64(s.segments[u.seg].serverLen)/average)
			sc.servers[u.seg] += idf * tf / (bm25K + tf)
		}
	}
	if ideal == 0 {
		return 0
	}
	var sum, squares float64
	for i := range sc.servers {
		sc.servers[i] /= ideal
		sum += sc.servers[i]
		squares += sc.servers[i] * sc.servers[i]
	}
	return deviation(sum, squares, float64(n))
}

// deviation returns the standard deviation of n numbers from their sum and the
// sum of their squares.
func deviation(sum, squares, n float64) float64 {
	if n == 0 {
		return 0
	}
	mean := sum / n
	return math.Sqrt(max(squares/n-mean*mean, 0))
}
