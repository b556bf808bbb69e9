package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/philippgille/chromem-go"
)

// vectors is the chromem-go collection behind a catalog. Its callers hold the
// catalog's lock, for writing where it changes.
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

// nearest returns the numbers in s of about k documents nearest to vec.
//
// chromem walks a map, so which of several equally near documents make the cut
// is chance. Where the cut falls into such a tie, the tied ones are left out; if
// that leaves none, the tie is resolved by order of name.
func (v *vectors) nearest(ctx context.Context, s *snapshot, vec []float32, k int) ([]int, error) {
	n := v.col.Count()
	if n == 0 {
		return nil, nil
	}
	k = min(k, n) // chromem refuses to be asked for more than it has
	res, err := v.query(ctx, vec, k)
	if err != nil {
		return nil, err
	}
	if k < n && len(res) > 0 {
		last := res[len(res)-1].Similarity
		if res[0].Similarity == last {
			if res, err = v.query(ctx, vec, n); err != nil {
				return nil, err
			}
			slices.SortFunc(res, func(a, b chromem.Result) int {
				if a.Similarity != b.Similarity {
					if a.Similarity > b.Similarity {
						return -1
					}
					return 1
				}
				return strings.Compare(a.ID, b.ID)
			})
			res = res[:k]
		} else {
			for res[len(res)-1].Similarity == last {
				res = res[:len(res)-1]
			}
		}
	}
	out := make([]int, 0, len(res))
	for _, r := range res {
		if r.Similarity <= 0 {
			continue
		}
		server, name, _ := strings.Cut(r.ID, "\x00")
		if i, ok := s.index(server); ok {
			if j := s.segments[i].find(name); j >= 0 {
				out = append(out, s.base[i]+j)
			}
		}
	}
	return out, nil
}

// query asks chromem. When ctx ends in between, chromem stops and returns what it
// has without an error.
func (v *vectors) query(ctx context.Context, vec []float32, k int) ([]chromem.Result, error) {
	res, err := v.col.QueryEmbedding(ctx, vec, k, nil, nil)
	if err == nil {
		err = ctx.Err()
	}
	return res, err
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
