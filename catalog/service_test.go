package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/conductor/conductor/catalog"
)

// embeddings is an OpenAI-compatible service with the vectors of animals.
func embeddings(t *testing.T, requests *atomic.Int64, fault func(n int64, w http.ResponseWriter) bool) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if fault != nil && fault(n, w) {
			return
		}
		var ask struct {
			Model string
			Input []string
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || ask.Model != "zoo-1" || r.URL.Path != "/v1/embeddings" || r.Header.Get("Authorization") != "Bearer k" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		type item struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		}
		var items []item
		for i, text := range ask.Input {
			v, _ := animals(r.Context(), text)
			items = append([]item{{i, v}}, items...) // in another order
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": items})
	}))
	t.Cleanup(server.Close)
	return server
}

func service(server *httptest.Server) *catalog.Service {
	return &catalog.Service{URL: server.URL + "/v1/", Model: "zoo-1", Key: "k", Client: server.Client()}
}

func TestService(t *testing.T) {
	var requests atomic.Int64
	s := service(embeddings(t, &requests, nil))
	big := zoo()
	for i := range 200 {
		big.Tools = append(big.Tools, catalog.Tool{Name: fmt.Sprintf("tool%d", i)})
	}
	c := fill(t, &catalog.Options{EmbeddingBatch: s.Embed}, []catalog.Server{big})
	if n := requests.Load(); n != 4 {
		t.Errorf("%d requests for 203 tools, want 4", n)
	}
	res := search(t, c, catalog.Query{Texts: []string{"puppy", "a puppy", "my puppy"}})
	if res.Lexical || res.Err != nil || res.Hits[0].Tool.Name != "walk_dog" {
		t.Errorf("got %+v", res)
	}
	if n := requests.Load(); n != 5 {
		t.Errorf("%d requests for one search, want 1", n-4)
	}
}

func TestServiceFaults(t *testing.T) {
	status := func(code int, times int64) func(int64, http.ResponseWriter) bool {
		return func(n int64, w http.ResponseWriter) bool {
			if n > times {
				return false
			}
			http.Error(w, "no", code)
			return true
		}
	}
	say := func(body string) func(int64, http.ResponseWriter) bool {
		return func(_ int64, w http.ResponseWriter) bool {
			fmt.Fprint(w, body)
			return true
		}
	}
	for name, tt := range map[string]struct {
		fault    func(int64, http.ResponseWriter) bool
		requests int64
		err      string // empty if it gets well
	}{
		"busy once":        {status(429, 1), 2, ""},
		"down twice":       {status(503, 2), 3, ""},
		"down":             {status(500, 100), 4, "500 Internal Server Error: no"},
		"wrong key":        {status(401, 100), 1, "401 Unauthorized"},
		"not JSON":         {say("<html>"), 1, "no list of embeddings"},
		"too few":          {say(`{"data":[]}`), 1, "0 embeddings for 1 texts"},
		"index too large":  {say(`{"data":[{"index":7,"embedding":[1]}]}`), 1, "not one for each text"},
		"an empty vector":  {say(`{"data":[{"index":0,"embedding":[]}]}`), 1, "not one for each text"},
		"a vector of text": {say(`{"data":[{"index":0,"embedding":["a"]}]}`), 1, "no list of embeddings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			s := service(embeddings(t, &requests, tt.fault))
			_, err := s.Embed(context.Background(), []string{"cat"})
			if got := fmt.Sprint(err); tt.err == "" && err != nil || !strings.Contains(got, tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if n := requests.Load(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
	t.Run("no time to try again", func(t *testing.T) {
		var requests atomic.Int64
		s := service(embeddings(t, &requests, func(_ int64, w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(429)
			return true
		}))
		c, err := catalog.New(&catalog.Options{EmbeddingBatch: s.Embed})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SetWords(zoo()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		res := search(t, c, text("cat"))
		if !res.Lexical || !errors.Is(res.Err, catalog.ErrEmbedding) || len(res.Hits) != 1 || time.Since(start) > catalog.DefaultEmbeddingTimeout {
			t.Errorf("got %+v after %v", res, time.Since(start))
		}
	})
}

// TestSetWords does the halves of SetServer one by one, with a service that hangs at
// first.
func TestSetWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		c, err := catalog.New(&catalog.Options{Embedding: func(ctx context.Context, text string) ([]float32, error) {
			if down.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return animals(ctx, text)
		}})
		if err != nil {
			t.Fatal(err)
		}
		embed, err := c.SetWords(zoo())
		if err != nil || embed == nil {
			t.Fatalf("got %v", err)
		}
		if res := search(t, c, text("water")); !res.Lexical || res.Hits[0].Tool.Name != "tank_fish" {
			t.Errorf("words: got %+v", res)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := embed(ctx); !errors.Is(err, catalog.ErrEmbedding) {
			t.Errorf("got %v", err)
		}
		down.Store(false)
		for range 2 {
			if err := embed(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if res := search(t, c, text("puppy")); res.Lexical || res.Hits[0].Tool.Name != "walk_dog" {
			t.Errorf("vectors: got %+v", res)
		}
		c.RemoveServer("zoo")
		if err := embed(context.Background()); err != nil || c.Len() != 0 {
			t.Errorf("after removal: got %v and %d tools", err, c.Len())
		}
	})
}

func TestEmbeddingCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var calls atomic.Int64
	options := func(model string) *catalog.Options {
		return &catalog.Options{EmbeddingCache: dir, EmbeddingModel: model, Embedding: func(ctx context.Context, text string) ([]float32, error) {
			calls.Add(1)
			return animals(ctx, text)
		}}
	}
	check := func(what, model string, want int64) {
		t.Helper()
		before := calls.Load()
		c := fill(t, options(model), []catalog.Server{zoo()})
		if got := calls.Load() - before; got != want {
			t.Errorf("%s: embedded %d tools, want %d", what, got, want)
		}
		if res := search(t, c, text("puppy")); res.Lexical || res.Hits[0].Tool.Name != "walk_dog" {
			t.Errorf("%s: got %+v", what, res)
		}
	}
	check("first", "a", 3)
	check("again", "a", 0)
	check("another model", "b", 3)
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		// Damage of each kind: cut, changed, emptied, and one that is sound.
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch n++; n {
		case 1:
			data = data[:len(data)-1]
		case 2:
			data[6] ^= 1
		case 3:
			data = nil
		}
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || n != 6 {
		t.Fatalf("%d files, %v", n, err)
	}
	before := calls.Load()
	check("damaged", "b", 3) // whose folder comes first
	check("repaired", "b", 0)
	check("the other model", "a", 0)
	if n := calls.Load() - before; n != 3+3 { // and three queries
		t.Errorf("%d calls", n)
	}
	if _, err := catalog.New(options("")); err == nil {
		t.Error("no error for a cache without the name of a model")
	}
}
