package searcheval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/conductor/conductor/catalog"
)

// A Ranker returns the ids of the best tools for a query, best first.
type Ranker interface {
	Rank(ctx context.Context, q Query, limit int) ([]string, error)
}

// A RankFunc is a function that is a [Ranker].
type RankFunc func(ctx context.Context, q Query, limit int) ([]string, error)

// Rank calls the function.
func (f RankFunc) Rank(ctx context.Context, q Query, limit int) ([]string, error) {
	return f(ctx, q, limit)
}

// Scores are the means over the queries of a set. Recall@k is the share of a
// query's gold among its first k tools, nDCG@10 weighs the gold among the first 10
// by rank, and MRR is the mean of one by the rank of the first gold tool, or of 0
// if none is among the first 10.
type Scores struct {
	Queries  int     `json:"queries"`
	Recall1  float64 `json:"recall_at_1"`
	Recall5  float64 `json:"recall_at_5"`
	Recall10 float64 `json:"recall_at_10"`
	NDCG10   float64 `json:"ndcg_at_10"`
	MRR      float64 `json:"mrr"`
	// P50 and P99 are the times of a search in microseconds.
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

// A Failure is a query of which no gold tool was among the first 5.
type Failure struct {
	ID    string   `json:"id"`
	Query string   `json:"query"`
	Gold  []string `json:"gold"`
	// Found are the first 5 tools.
	Found []string `json:"found"`
}

const depth = 10 // how many tools are asked for

// Measure asks the ranker each query, one after another.
func Measure(ctx context.Context, r Ranker, queries []Query) (Scores, []Failure, error) {
	s := Scores{Queries: len(queries)}
	var failures []Failure
	took := make([]float64, 0, len(queries))
	for _, q := range queries {
		start := time.Now()
		found, err := r.Rank(ctx, q, depth)
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
		if err != nil {
			return s, nil, fmt.Errorf("query %s: %w", q.ID, err)
		}
		s.add(q.Gold, found)
		if recall(q.Gold, found, 5) == 0 {
			failures = append(failures, Failure{q.ID, q.Text, q.Gold, found[:min(5, len(found))]})
		}
	}
	if n := float64(len(queries)); n > 0 {
		for _, v := range []*float64{&s.Recall1, &s.Recall5, &s.Recall10, &s.NDCG10, &s.MRR} {
			*v /= n
		}
		slices.Sort(took)
		s.P50, s.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return s, failures, nil
}

func (s *Scores) add(gold, found []string) {
	s.Recall1 += recall(gold, found, 1)
	s.Recall5 += recall(gold, found, 5)
	s.Recall10 += recall(gold, found, 10)
	first, gain, ideal := 0.0, 0.0, 0.0
	for i, id := range found[:min(10, len(found))] {
		if slices.Contains(gold, id) {
			gain += 1 / math.Log2(float64(i)+2)
			if first == 0 {
				first = 1 / float64(i+1)
			}
		}
	}
	for i := range min(len(gold), 10) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	s.NDCG10 += gain / ideal
	s.MRR += first
}

// recall is the share of gold among the first k.
func recall(gold, found []string, k int) float64 {
	n := 0
	for _, id := range found[:min(k, len(found))] {
		if slices.Contains(gold, id) {
			n++
		}
	}
	return float64(n) / float64(len(gold))
}

// Mean returns the mean of scores over sets, each set with the same weight.
func Mean(scores []Scores) Scores {
	var m Scores
	n := float64(max(len(scores), 1))
	for _, s := range scores {
		m.Queries += s.Queries
		m.Recall1 += s.Recall1 / n
		m.Recall5 += s.Recall5 / n
		m.Recall10 += s.Recall10 / n
		m.NDCG10 += s.NDCG10 / n
		m.MRR += s.MRR / n
		m.P50 += s.P50 / n
		m.P99 += s.P99 / n
	}
	return m
}

// Fill makes a catalog of the set's servers.
func Fill(ctx context.Context, set *Set, options *catalog.Options) (*catalog.Catalog, error) {
	c, err := catalog.New(options)
	if err != nil {
		return nil, err
	}
	for _, s := range set.Servers {
		if err := c.SetServer(ctx, s); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Search is the ranker of a catalog.
func Search(c *catalog.Catalog) Ranker {
	return RankFunc(func(ctx context.Context, q Query, limit int) ([]string, error) {
		res, err := c.Search(ctx, catalog.Query{Texts: []string{q.Text}, Limit: limit})
		if err != nil {
			return nil, err
		}
		return IDs(res), nil
	})
}

// IDs returns the ids of the hits.
func IDs(res *catalog.Results) []string {
	out := make([]string, len(res.Hits))
	for i, h := range res.Hits {
		out[i] = h.Tool.ID()
	}
	return out
}
