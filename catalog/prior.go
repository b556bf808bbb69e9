package catalog

import (
	"math"
	"slices"
)

// Context is what a conversation tells beside the query. It shifts the order of
// what the query finds, and finds nothing by itself: text of a conversation that is
// put into a query drowns it.
type Context struct {
	// Recent are what the user said lately, latest last. Servers that they are about
	// are preferred a little. At most the last 4 count.
	Recent []string
	// Used are the ids of the tools that were called with success in the turn before.
	// What was learned to follow them is preferred, and so are their servers.
	Used []string
}

// Priors are added to a tool's score in units of the score's deviation over the
// catalog, which makes their worth the same for every query.
const (
	nextPrior   = 4.0 // times the probability that the tool follows one that was used
	withPrior   = 2.0 // times the probability that it is used together with a first hit
	serverPrior = 0.6 // for a tool of a server in play, times log10 of the servers
	recentShare = 0.1 // of the server scores of recent text
	maxRecent   = 4
	withHits    = 3 // first hits that draw others after them

	learnedWeight = 1.0 // of a learned word beside those of the tool's own text
	doubt         = 1.0 // conversations that a lesson is shrunk by
)

// strength is how much n conversations are believed, from 0 to 1. One alone is not.
func strength(n float64) float64 {
	if n <= 1 {
		return 0
	}
	return (n - 1) / (n - 1 + doubt)
}

// A hint is a weight for a document.
type hint struct {
	doc    int
	weight float64
}

// learnedTerm returns the tools that a word has led to, in order of number.
func (l *Learning) learnedTerm(s *snapshot, term string) []hint {
	h := termHash(term)
	list := l.byTerm[h]
	if len(list) == 0 {
		return nil
	}
	day := l.today()
	key := termKey(h)
	var out []hint
	for _, id := range list {
		if t := l.sum.Tools[id]; t != nil {
			n := t.Terms[key].faded(day)
			if w := strength(n); w > 0 {
				// The share of the tool's conversations in which the word was used.
				w *= math.Sqrt(min(n/max(t.Uses.faded(day), 1), 1))
				if doc := s.number(id); doc >= 0 {
					out = append(out, hint{doc, learnedWeight * w})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b hint) int { return a.doc - b.doc })
	return out
}

// follow returns for each tool that was seen after, or beside, those with these
// ids the greatest probability of that.
func (l *Learning) follow(s *snapshot, ids []string, beside bool) map[int]float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	day := l.today()
	var out map[int]float64
	for _, id := range ids {
		t := l.sum.Tools[id]
		if t == nil {
			continue
		}
		counts, total := t.Next, t.Turns
		if beside {
			counts, total = t.With, t.Uses
		}
		for key, n := range counts {
			p := max(n.faded(day)-1, 0) / (total.faded(day) + doubt)
			doc := -1
			if p > 0 {
				doc = s.number(key)
			}
			if doc >= 0 {
				if out == nil {
					out = make(map[int]float64)
				}
				out[doc] = max(out[doc], min(p, 1))
			}
		}
	}
	return out
}

// learned returns for each term the tools that it has led to, or nil.
func (s *search) learned(terms []string) [][]hint {
	l := s.catalog.learning
	if l == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.byTerm) == 0 {
		return nil
	}
	out := make([][]hint, len(terms))
	for i, t := range terms {
		out[i] = l.learnedTerm(s.snap, t)
	}
	return out
}

// addPriors fills s.prior and s.recent from the context of the query.
func (s *search) addPriors() {
	c := s.query.Context
	if c == nil {
		return
	}
	used := c.Used[max(0, len(c.Used)-maxOutcomeTools):]
	s.prior = make(map[int]float64)
	if l := s.catalog.learning; l != nil {
		for doc, p := range l.follow(s.snap, used, false) {
			s.prior[doc] += nextPrior * p
		}
	}
	inPlay := make(map[int]bool)
	for _, id := range used {
		if n := s.snap.number(id); n >= 0 {
			_, seg := s.snap.at(n)
			inPlay[seg] = true
		}
	}
	if s.only < 0 && len(s.snap.segments) > 1 {
		// The more servers there are, the more it tells that one of them is in play.
		more := serverPrior * math.Log10(float64(len(s.snap.segments)))
		for seg := range inPlay {
			for n := s.snap.base[seg]; n < s.snap.base[seg+1]; n++ {
				s.prior[n] += more
			}
		}
		var words []string
		for _, t := range c.Recent[max(0, len(c.Recent)-maxRecent):] {
			words = append(words, terms(clip(t, maxEmbedRunes))...)
		}
		if words = queryTerms(words); len(words) > 0 {
			sc := new(scratch)
			s.snap.serverScores(words, sc)
			s.recent = sc.servers
		}
	}
}

// drawAfter adds to the candidates what was learned to be used together with the
// first of them, and reports whether that can have changed their order.
func (s *search) drawAfter(found []candidate) bool {
	l := s.catalog.learning
	if l == nil || len(found) < 2 {
		return false
	}
	var first []string
	for _, c := range found[:min(withHits, len(found))] {
		first = append(first, c.doc.id)
	}
	together := l.follow(s.snap, first, true)
	if len(together) == 0 {
		return false
	}
	unit := s.runs[len(s.runs)-1].deviation
	for i := range found {
		found[i].x += unit * withPrior * together[found[i].n]
	}
	return true
}

// number returns the number of the document with that id, or -1.
func (s *snapshot) number(id string) int {
	for i := 0; i < len(id); i++ {
		if id[i] != '.' {
			continue
		}
		if n, ok := s.index(id[:i]); ok {
			if j := s.segments[n].find(id[i+1:]); j >= 0 {
				return s.base[n] + j
			}
		}
	}
	return -1
}
