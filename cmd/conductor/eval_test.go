package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEvalSearch(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"tools.jsonl": `{"id":"send","server":"mail","name":"send_letter","description":"Sends a letter to somebody"}
{"id":"bake","server":"kitchen","name":"bake","description":"Bakes a cake"}`,
		"queries.jsonl": `{"id":"1","query":"write a letter","gold":["send"]}
{"id":"2","query":"qqqxyzzy","gold":["bake"]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cli(t, "", "eval", "search", "--data", dir, "--failures", "-1").check(t, exitOK,
		[]string{"(2 tools, 2 queries)", "bm25", "lexical", "vector", "fused", "0.500", "failed: qqqxyzzy", "wanted: kitchen.bake"}, nil)
	o := cli(t, "", "eval", "search", "--data", dir, "--only", "fused", "--json")
	o.check(t, exitOK, []string{"{"}, nil)
	row := o.decode(t)["mean"].([]any)[0].(map[string]any)
	if row["ranker"] != "fused" || row["recall_at_5"] != .5 || row["ndcg_at_10"] != .5 || row["queries"] != 2.0 {
		t.Errorf("row: %v", row)
	}

	cli(t, "", "eval", "search").check(t, exitUsage, nil, []string{"wants --data"})
	cli(t, "", "eval", "search", "--data", dir, "--only", "fussed").check(t, exitUsage, nil, []string{`there is no ranker "fussed"; did you mean fused?`})
	cli(t, "", "eval", "search", "--data", t.TempDir()).check(t, exitUsage, nil, []string{"no retrieval set"})
}
