package catalog

import (
	"context"
	"fmt"

	"github.com/philippgille/chromem-go"
)

// vectors is the chromem-go collection behind a catalog, the record of all vectors.
// Its callers hold the catalog's lock for writing. Searches do not ask it: it compares
// a query with every document, through a channel and a map, which takes 70 ms for
// 100,000 tools. They read the same vectors, in the memory that they share with it,
// through [snapshot.nearest].
type vectors struct {
	col *chromem.Collection
}

func newVectors() (*vectors, error) {
	// The collection never embeds anything itself: without a function of our own
	// a mistake here would send texts to chromem's default service.
	none := func(context.Context, string) ([]float32, error) {
		return nil, fmt.Errorf("%w: the collection takes finished vectors only", ErrEmbedding)
	}
	col, err := chromem.NewDB().CreateCollection("tools", nil, none)
	if err != nil {
		return nil, fmt.Errorf("create vector collection: %w", err)
	}
	return &vectors{col: col}, nil
}

// key is a tool's id in the collection. The id of the tool itself will not do:
// "a.b"+"c" and "a"+"b.c" are the same. Server names have no NUL in them.
func key(server, tool string) string { return server + "\x00" + tool }

// add stores the vectors of a segment.
func (v *vectors) add(g *segment) error {
	for i := range g.docs {
		d := &g.docs[i]
		if d.vec == nil {
			continue
		}
		err := v.col.AddDocument(context.Background(), chromem.Document{ID: key(g.name, d.tool.Name), Embedding: d.vec})
		if err != nil {
			return fmt.Errorf("store vector of %s: %w", d.id, err)
		}
	}
	return nil
}

// remove deletes the vectors of a segment.
func (v *vectors) remove(g *segment) error {
	var keys []string
	for i := range g.docs {
		if g.docs[i].vec != nil {
			keys = append(keys, key(g.name, g.docs[i].tool.Name))
		}
	}
	if len(keys) == 0 {
		return nil // to chromem no ids means all documents
	}
	if err := v.col.Delete(context.Background(), nil, nil, keys...); err != nil {
		return fmt.Errorf("remove vectors of %s: %w", g.name, err)
	}
	return nil
}

// dot is the cosine of two unit vectors of the same number of dimensions.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return float64(s0 + s1 + s2 + s3)
}
