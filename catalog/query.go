package catalog

import (
	"context"
	"strings"
)

// Query is what to search for.
type Query struct {
	// Texts are one or several phrasings or parts of the need, each matched on its
	// own. A tool's score is its best match plus half its match with all texts
	// together. At least one must have words in it; at most 16 count, and of each
	// 2,000 characters.
	Texts []string

	// Server narrows the search to one server: if it is the name or title of a
	// server (capitals aside), only that server's tools are found. If no server
	// is called so, it is taken for a description of the kind of server that is
	// meant, and servers that fit it are preferred.
	Server string

	// Context is what is known of the conversation. Nil means nothing.
	Context *Context

	// Limit is the number of hits. Zero or less means [DefaultLimit]; more than
	// 100 means 100.
	Limit int

	// MinScore leaves out hits with a lower score; see the package comment for
	// the scale. Zero leaves none out.
	MinScore float64

	// Allow, if not nil, leaves out tools for which it returns false, such as
	// those that the host's policy hides. It is called with ids on the searching
	// goroutine, possibly more than once for one id, and must give the same answer
	// each time.
	Allow func(id string) bool
}

// Results are what a search found.
type Results struct {
	// Hits are the tools, best first; ties are in order of id. Tools that have
	// nothing in common with the query, no word and no similar vector, are not
	// hits, so there may be none. Embedding models find some similarity in
	// anything: set MinScore where that matters.
	Hits []Hit
	// Lexical tells that the hits were ranked by words alone: because the catalog
	// was made so, or because of Err.
	Lexical bool
	// Err is why vectors could not be used, or nil. It wraps [ErrEmbedding]. The
	// hits are good all the same.
	Err error
}

// Hit is a tool that was found.
type Hit struct {
	Tool Tool
	// Score is between 0 and 1 and comparable across queries; see the package
	// comment.
	Score float64
	// Why tells what made it a hit.
	Why Why
}

// Search ranks the tools for a query. It does not wait for anything but the
// embedding of the query, and for that no longer than [Options.EmbeddingTimeout];
// with the built-in embedder it takes well under a millisecond per thousand
// tools.
//
// The error is [ErrNoQuery] or the error of ctx. A failing embedding function is
// no error: the search falls back to words and says so in [Results].
func (c *Catalog) Search(ctx context.Context, q Query) (*Results, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var texts []string
	for _, t := range q.Texts {
		if t = strings.TrimSpace(clip(t, maxEmbedRunes)); t != "" && len(texts) < maxQueryTexts {
			texts = append(texts, t)
		}
	}
	if len(texts) == 0 {
		return nil, ErrNoQuery
	}
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)

	res := new(Results)
	var vecs [][]float32
	if c.weight > 0 {
		vecs, res.Err = c.embedQuery(ctx, texts)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	s := &search{catalog: c, query: &q, texts: texts}
	s.collect(vecs, res)
	res.Lexical = !s.useVectors
	defer s.release()
	s.rank()
	res.Hits = s.hits(false)
	if len(res.Hits) < q.Limit && q.Allow != nil {
		res.Hits = s.hits(true) // the candidates may all have been refused
	}
	return res, nil
}
