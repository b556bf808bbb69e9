package catalog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/conductor/conductor/catalog"
)

// corpus is one retrieval set.
type corpus struct {
	servers []catalog.Server
	queries []judged
}

type judged struct {
	text string
	gold []string // ids as the catalog knows them
}

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

// readLines decodes a file of one JSON value per line.
func readLines[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var v T
		if err := json.Unmarshal(in.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, v)
	}
	if err := in.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// readServers reads a tools.jsonl. The map leads from the file's ids to ours.
func readServers(t testing.TB, path string) ([]catalog.Server, map[string]string) {
	t.Helper()
	type line struct {
		ID, Server, Name, Description, ServerDescription string
		InputSchema                                      json.RawMessage
		Params                                           map[string]any
	}
	var servers []catalog.Server
	at := make(map[string]int)
	ids := make(map[string]string)
	for _, l := range readLines[line](t, path) {
		if l.Server == "" {
			l.Server = "tools"
		}
		i, ok := at[l.Server]
		if !ok {
			i = len(servers)
			at[l.Server] = i
			servers = append(servers, catalog.Server{Name: l.Server, Description: l.ServerDescription})
		}
		if l.Params != nil { // name → description
			props := make(map[string]any)
			for name, description := range l.Params {
				props[name] = map[string]any{"type": "string", "description": description}
			}
			l.InputSchema, _ = json.Marshal(map[string]any{"type": "object", "properties": props})
		}
		tool := catalog.Tool{Server: l.Server, Name: l.Name, Description: l.Description, InputSchema: l.InputSchema}
		servers[i].Tools = append(servers[i].Tools, tool)
		ids[l.ID] = tool.ID()
	}
	return servers, ids
}

func readCorpus(t testing.TB, name string, most int) corpus {
	dir := filepath.Join(corpora(t), name)
	servers, ids := readServers(t, filepath.Join(dir, "tools.jsonl"))
	type line struct {
		Query string
		Gold  []string
	}
	c := corpus{servers: servers}
	lines := readLines[line](t, filepath.Join(dir, "queries.jsonl"))
	step := max(len(lines)/most, 1)
	for i := 0; i < len(lines); i += step {
		q := judged{text: lines[i].Query}
		for _, id := range lines[i].Gold {
			q.gold = append(q.gold, ids[id])
		}
		c.queries = append(c.queries, q)
	}
	return c
}

func fill(t testing.TB, opts *catalog.Options, servers []catalog.Server) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		if err := c.SetServer(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// measure returns mean Recall@5 and nDCG@10 over the queries.
func measure(t testing.TB, c *catalog.Catalog, queries []judged) (recall, ndcg float64) {
	t.Helper()
	for _, q := range queries {
		res, err := c.Search(context.Background(), catalog.Query{Texts: []string{q.text}, Limit: 10})
		if err != nil {
			t.Fatalf("search %q: %v", q.text, err)
		}
		found, gain, ideal := 0.0, 0.0, 0.0
		for i, h := range res.Hits {
			if slices.Contains(q.gold, h.Tool.ID()) {
				if i < 5 {
					found++
				}
				gain += 1 / math.Log2(float64(i)+2)
			}
		}
		for i := range min(len(q.gold), 10) {
			ideal += 1 / math.Log2(float64(i)+2)
		}
		recall += found / float64(len(q.gold))
		ndcg += gain / ideal
	}
	n := float64(len(queries))
	return recall / n, ndcg / n
}

// TestRetrieval measures the ranking on public sets. Numbers are printed with
// -v; the test fails only if vectors make the ranking worse than words alone.
func TestRetrieval(t *testing.T) {
	sets := []string{"gtc_mcp", "gtc_k8s", "toole", "bfcl_multiturn"}
	if os.Getenv("CONDUCTOR_ALL_SETS") != "" {
		sets = append(sets, "toollinkos", "stabletoolbench")
	}
	var sums [4]float64
	for _, name := range sets {
		set := readCorpus(t, name, 600)
		r0, n0 := measure(t, fill(t, &catalog.Options{VectorWeight: -1}, set.servers), set.queries)
		r1, n1 := measure(t, fill(t, nil, set.servers), set.queries)
		t.Logf("%-16s %4d queries  Recall@5 %.3f → %.3f  nDCG@10 %.3f → %.3f (words → words and vectors)",
			name, len(set.queries), r0, r1, n0, n1)
		for i, v := range []float64{r0, r1, n0, n1} {
			sums[i] += v / float64(len(sets))
		}
	}
	t.Logf("%-16s               Recall@5 %.3f → %.3f  nDCG@10 %.3f → %.3f", "mean", sums[0], sums[1], sums[2], sums[3])
	if sums[1] < sums[0]-.01 || sums[3] < sums[2]-.01 {
		t.Errorf("vectors make the ranking worse than words alone by more than a point")
	}
}
