package catalog_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/internal/searcheval"
)

// corpora returns the folder of the retrieval sets. They are not part of the
// project: without them the test is skipped, but not in CI.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("CONDUCTOR_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpora")
	}
	dir = filepath.Join(dir, "toolsearch")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("retrieval corpora are missing: %v (set CONDUCTOR_CORPORA)", err)
		}
		t.Skipf("retrieval corpora are missing: %v (set CONDUCTOR_CORPORA)", err)
	}
	return dir
}

// corpus reads one set, and keeps about so many of its queries.
func corpus(t testing.TB, name string, queries int) *searcheval.Set {
	t.Helper()
	set, err := searcheval.LoadSet(filepath.Join(corpora(t), name))
	if err != nil {
		t.Fatal(err)
	}
	step := max(len(set.Queries)/queries, 1)
	var some []searcheval.Query
	for i := 0; i < len(set.Queries); i += step {
		some = append(some, set.Queries[i])
	}
	set.Queries = some
	return set
}

func fill(t testing.TB, opts *catalog.Options, servers []catalog.Server) *catalog.Catalog {
	t.Helper()
	c, err := searcheval.Fill(context.Background(), &searcheval.Set{Servers: servers}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func measure(t testing.TB, r searcheval.Ranker, queries []searcheval.Query) searcheval.Scores {
	t.Helper()
	scores, _, err := searcheval.Measure(context.Background(), r, queries)
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

// TestRetrieval holds the ranking to what it is for, on public sets: ten points
// better than plain BM25, on none of them worse, and better with vectors than
// without. Numbers are printed with -v.
func TestRetrieval(t *testing.T) {
	if testing.Short() {
		t.Skip("measures quality")
	}
	sets := []string{"gtc_mcp", "gtc_k8s", "toole", "bfcl_multiturn"}
	if os.Getenv("CONDUCTOR_ALL_SETS") != "" {
		sets = append(sets, "toollinkos", "stabletoolbench")
	}
	var plain, words, fused []searcheval.Scores
	for _, name := range sets {
		set := corpus(t, name, 600)
		p := measure(t, searcheval.NewBM25(set), set.Queries)
		w := measure(t, searcheval.Search(fill(t, &catalog.Options{VectorWeight: -1}, set.Servers)), set.Queries)
		f := measure(t, searcheval.Search(fill(t, nil, set.Servers)), set.Queries)
		plain, words, fused = append(plain, p), append(words, w), append(fused, f)
		t.Logf("%-16s %4d queries  Recall@5 %.3f → %.3f → %.3f  nDCG@10 %.3f → %.3f → %.3f (plain BM25 → words → words and vectors)",
			name, len(set.Queries), p.Recall5, w.Recall5, f.Recall5, p.NDCG10, w.NDCG10, f.NDCG10)
		if f.Recall5 < p.Recall5-.01 || f.NDCG10 < p.NDCG10-.01 {
			t.Errorf("%s: the ranking is worse than plain BM25 by more than a point", name)
		}
	}
	p, w, f := searcheval.Mean(plain), searcheval.Mean(words), searcheval.Mean(fused)
	t.Logf("%-16s               Recall@5 %.3f → %.3f → %.3f  nDCG@10 %.3f → %.3f → %.3f", "mean", p.Recall5, w.Recall5, f.Recall5, p.NDCG10, w.NDCG10, f.NDCG10)
	if f.Recall5 < p.Recall5+.1 || f.NDCG10 < p.NDCG10+.1 {
		t.Errorf("the ranking is not ten points better than plain BM25")
	}
	if f.Recall5 < w.Recall5-.01 || f.NDCG10 < w.NDCG10-.01 {
		t.Errorf("vectors make the ranking worse than words alone by more than a point")
	}
}
