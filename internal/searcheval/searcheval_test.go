package searcheval_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/searcheval"
)

const tools = `{"id":"m/send","server":"mail","name":"send","description":"Send a letter"}
{"id":"m/read","server":"mail","name":"read","description":"Read the letters","params":{"box":"Which box"}}

{"id":"alone","server":"","name":"alone","description":"Nothing"}
`

func writeSet(t *testing.T, dir, tools, queries string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"tools.jsonl": tools, "queries.jsonl": queries} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	writeSet(t, filepath.Join(dir, "b"), tools, `{"id":"1","query":"write","gold":["m/send","m/send"],"conv":"c","history":[{"user":"hi","tools":["alone","gone"]}]}`)
	writeSet(t, filepath.Join(dir, "a"), tools, `{"id":"2","query":"x","gold":["alone"]}`)
	writeSet(t, filepath.Join(dir, "catalogue"), tools, "")
	sets, err := searcheval.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(sets) != 2 || sets[0].Name != "a" || sets[1].Name != "b" {
		t.Fatalf("got %v", sets)
	}
	want := []searcheval.Query{{ID: "1", Text: "write", Gold: []string{"mail.send"}, Conversation: "c",
		History: []searcheval.Turn{{Text: "hi", Tools: []string{"tools.alone"}}}}}
	if diff := cmp.Diff(want, sets[1].Queries); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
	if n := len(sets[0].Servers); n != 2 {
		t.Errorf("%d servers, want 2", n)
	}
	if one, err := searcheval.Load(filepath.Join(dir, "a")); err != nil || len(one) != 1 {
		t.Errorf("one set: got %v, %v", one, err)
	}
}

func TestLoadErrors(t *testing.T) {
	for name, tt := range map[string]struct{ tools, queries, want string }{
		"not JSON":     {"{", `{}`, "tools.jsonl:1:"},
		"unknown gold": {tools, `{"id":"q7","query":"x","gold":["nope"]}`, `queries.jsonl:1: query q7: there is no tool "nope"`},
		"no gold":      {tools, `{"id":"q7","query":"x","gold":[]}`, "query q7 has no gold"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := searcheval.Load(writeSet(t, t.TempDir(), tt.tools, tt.queries))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := searcheval.Load(t.TempDir()); !errors.Is(err, searcheval.ErrNoSets) {
		t.Errorf("empty folder: got %v", err)
	}
	if _, err := searcheval.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: got %v", err)
	}
}

func TestMeasure(t *testing.T) {
	fixed := searcheval.RankFunc(func(_ context.Context, q searcheval.Query, _ int) ([]string, error) {
		if q.Text == "nothing" {
			return nil, nil
		}
		return []string{"x", "a", "y", "z", "w", "b"}, nil
	})
	queries := []searcheval.Query{{ID: "1", Text: "both", Gold: []string{"a", "b"}}, {ID: "2", Text: "nothing", Gold: []string{"a"}}}
	got, failures, err := searcheval.Measure(context.Background(), fixed, queries)
	if err != nil {
		t.Fatal(err)
	}
	ndcg := (1/math.Log2(3) + 1/math.Log2(7)) / (1 + 1/math.Log2(3)) / 2
	for name, v := range map[string][2]float64{
		"Recall@1": {got.Recall1, 0}, "Recall@5": {got.Recall5, .25}, "Recall@10": {got.Recall10, .5},
		"nDCG@10": {got.NDCG10, ndcg}, "MRR": {got.MRR, .25},
	} {
		if math.Abs(v[0]-v[1]) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, v[0], v[1])
		}
	}
	if diff := cmp.Diff([]searcheval.Failure{{ID: "2", Query: "nothing", Gold: []string{"a"}}}, failures); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
}

func TestBM25(t *testing.T) {
	set, err := searcheval.LoadSet(writeSet(t, t.TempDir(), tools, ""))
	if err != nil {
		t.Fatal(err)
	}
	got, err := searcheval.NewBM25(set).Rank(context.Background(), searcheval.Query{Text: "Read a letter"}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"mail.send", "mail.read"}, got); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
}
