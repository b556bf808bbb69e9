package catalog

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	nearScore   = 0.95 // score of a tool named in other spelling, or within the query
	rankedShare = 0.9  // the most that a tool not named by the query can score
	wholeShare  = 0.5  // weight of all texts together beside the best one
	minPool     = 100  // candidates of each signal, at least
	maxMentions = 32   // identifiers of a query that may name a tool

	// minBuiltinCosine is the least cosine of the built-in embedder that makes a hit
	// of a tool without a word in common with the query. Texts that have nothing to do
	// with each other are below it.
	minBuiltinCosine = 0.2
)

// search is the state of one call of Search.
type search struct {
	catalog    *Catalog
	query      *Query
	texts      []string
	snap       *snapshot
	useVectors bool
	only       int   // index of the one segment to search, or -1
	near       []int // documents from the vector store
	runs       []*run
	prior      map[int]float64 // by document, in deviations
	recent     []float64       // by segment: how much recent text is about the server
	full       []uint64        // name keys of the texts
	mentions   []uint64        // name keys of identifiers in the texts
}

// collect takes a snapshot, and asks it for the documents near the vectors.
func (s *search) collect(vecs [][]float32, res *Results) {
	s.snap = s.catalog.snapshot()
	s.only = s.snap.resolve(s.query.Server)
	if vecs == nil {
		return
	}
	if s.snap.embedded == 0 && s.snap.len() > 0 && !s.catalog.builtin {
		res.Err = fmt.Errorf("%w: no tool has a vector", ErrEmbedding)
		return
	}
	for _, v := range vecs {
		if want := s.snap.dims; v != nil && want != 0 && len(v) != want {
			res.Err = errDimensions(len(v), want)
			return
		}
	}
	s.useVectors = true
	for _, v := range vecs {
		s.runs = append(s.runs, &run{vec: v})
		if v != nil && s.only < 0 {
			s.near = append(s.near, s.snap.nearest(v, max(minPool, 4*s.query.Limit))...)
		}
	}
}

// resolve returns the index of the server that a hint names, or -1.
func (s *snapshot) resolve(hint string) int {
	if hint == "" {
		return -1
	}
	if i, ok := s.index(hint); ok {
		return i
	}
	for i, g := range s.segments {
		if strings.EqualFold(g.name, hint) {
			return i
		}
	}
	for i, g := range s.segments {
		if strings.EqualFold(g.title, hint) {
			return i
		}
	}
	return -1
}

// rank scores every document for every text, and for all texts together.
func (s *search) rank() {
	if s.runs == nil {
		for range s.texts {
			s.runs = append(s.runs, new(run))
		}
	}
	var all []string
	for i, t := range s.texts {
		words := s.snap.corrected(t)
		all = append(all, words...)
		s.runs[i].terms = queryTerms(words)
		s.names(t)
	}
	if len(s.texts) > 1 {
		s.runs = append(s.runs, &run{terms: queryTerms(all), vec: s.meanVector()})
	}
	var hint []string
	share := serverShare
	if s.query.Server != "" && s.only < 0 {
		hint, share = terms(clip(s.query.Server, maxEmbedRunes)), hintShare
	}
	s.addPriors()
	for _, r := range s.runs {
		r.scratch = s.catalog.scratch.Get().(*scratch)
		r.learned = s.learned(r.terms)
		onWords := s.snap.lexical(r.terms, r.learned, r.scratch)
		onServ := 0.0
		if s.only < 0 {
			t := r.terms
			if hint != nil {
				t = queryTerms(hint)
			}
			onServ = s.snap.serverScores(t, r.scratch)
		} else {
			r.servers = nil
		}
		r.weigh(s.snap, onWords, onServ, s.catalog.weight, share)
	}
}

// names notes what in a text can be the name of a tool.
func (s *search) names(text string) {
	if k, n := nameKey(text); n > 0 {
		s.full = append(s.full, k)
	}
	if !strings.ContainsAny(text, " \t\n") {
		return
	}
	for _, w := range strings.Fields(text) {
		w = strings.Trim(w, "`'\"()[]{}<>.,;:!?")
		if k, n := nameKey(w); n > 1 && len(s.mentions) < maxMentions {
			s.mentions = append(s.mentions, k)
		}
	}
}

func (s *search) meanVector() []float32 {
	var sum []float32
	for _, r := range s.runs {
		if r.vec == nil {
			continue
		}
		if sum == nil {
			sum = make([]float32, len(r.vec))
		}
		for i, v := range r.vec {
			sum[i] += v
		}
	}
	if sum == nil {
		return nil
	}
	v, err := unit(sum)
	if err != nil {
		return nil // opposite vectors: together they say nothing
	}
	return v
}

// candidate is a hit in the making.
type candidate struct {
	doc  *doc
	n    int // the document's number
	tier int // 2: exact name, 1: name in other spelling or mentioned, 0: neither
	x    float64
}

// hits returns the best documents: of the candidates that the signals propose,
// or of all.
func (s *search) hits(all bool) []Hit {
	floor := 0.0
	if s.catalog.builtin {
		floor = minBuiltinCosine
	}
	var found []candidate
	for _, n := range s.candidates(all || s.only >= 0) {
		d, seg := s.snap.at(n)
		if s.query.Allow != nil && !s.query.Allow(d.id) {
			continue
		}
		c := candidate{doc: d, n: n, tier: s.tier(d)}
		common := false
		best, whole := 0.0, 0.0
		for i, r := range s.runs {
			x, ok := r.score(n, seg, d, floor)
			x += r.deviation * s.prior[n]
			if s.recent != nil {
				x += r.onServ * recentShare * s.recent[seg]
			}
			common = common || ok
			if i < len(s.texts) {
				best = max(best, x)
			} else {
				whole = x
			}
		}
		c.x = best
		if len(s.runs) > len(s.texts) {
			c.x = (best + wholeShare*whole) / (1 + wholeShare)
		}
		if common {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, better)
	if s.drawAfter(found) {
		slices.SortFunc(found, better)
	}
	var out []Hit
	for _, c := range found {
		score := []float64{rankedShare * math.Sqrt(min(c.x, 1)), nearScore, 1}[c.tier]
		if len(out) == s.query.Limit || score < s.query.MinScore {
			break
		}
		out = append(out, Hit{Tool: c.doc.tool, Score: score, Why: s.why(c.n, c.tier > 0)})
	}
	return out
}

// better orders candidates, the best first.
func better(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.tier, a.tier), cmp.Compare(b.x, a.x), strings.Compare(a.doc.id, b.doc.id),
		strings.Compare(a.doc.tool.Server, b.doc.tool.Server))
}

// tier tells whether the query names the tool.
func (s *search) tier(d *doc) int {
	for _, k := range s.full {
		if k == d.nameKey || k == d.idKey {
			for _, t := range s.texts {
				if strings.EqualFold(t, d.tool.Name) || strings.EqualFold(t, d.id) {
					return 2
				}
			}
			return 1
		}
	}
	for _, k := range s.mentions {
		if k == d.nameKey || k == d.idKey {
			return 1
		}
	}
	return 0
}

// candidates returns the numbers of the documents worth scoring, in order.
func (s *search) candidates(all bool) []int {
	var out []int
	if all {
		from, to := 0, s.snap.len()
		if s.only >= 0 {
			from, to = s.snap.base[s.only], s.snap.base[s.only+1]
		}
		for n := from; n < to; n++ {
			out = append(out, n)
		}
		return out
	}
	out = append(out, s.near...)
	want := max(minPool, 4*s.query.Limit)
	for _, r := range s.runs {
		least := r.cutoff(want)
		for _, at := range r.touched {
			n := int(at)
			if r.words[n] >= least {
				out = append(out, n)
				continue
			}
			if len(s.mentions) == 0 && len(s.full) == 0 {
				continue
			}
			if d, _ := s.snap.at(n); s.tier(d) > 0 {
				out = append(out, n)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *search) release() {
	for _, r := range s.runs {
		s.catalog.scratch.Put(r.scratch)
	}
}
