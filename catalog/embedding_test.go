package catalog_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/conductor/conductor/catalog"
	"github.com/philippgille/chromem-go"
)

// The functions of chromem-go convert.
var _ = catalog.EmbeddingFunc(chromem.NewEmbeddingFuncOllama("nomic-embed-text", ""))

// animals embeds by what a text is about, whatever its words.
func animals(_ context.Context, text string) ([]float32, error) {
	v := []float32{.1, .1, .1}
	for i, words := range []string{"cat feline kitten", "dog canine puppy", "fish salmon trout"} {
		for _, w := range strings.Fields(words) {
			if strings.Contains(strings.ToLower(text), w) {
				v[i]++
			}
		}
	}
	return v, nil
}

func zoo() catalog.Server {
	return catalog.Server{Name: "zoo", Tools: []catalog.Tool{
		{Name: "feed_cat", Description: "Gives food."},
		{Name: "walk_dog", Description: "Goes outside."},
		{Name: "tank_fish", Description: "Changes water."},
	}}
}

func TestEmbedding(t *testing.T) {
	c := fill(t, &catalog.Options{Embedding: animals}, []catalog.Server{zoo()})
	for query, want := range map[string]string{"kitten": "zoo.feed_cat", "puppy": "zoo.walk_dog", "trout": "zoo.tank_fish"} {
		res := search(t, c, text(query))
		if res.Lexical || res.Err != nil || len(res.Hits) == 0 || res.Hits[0].Tool.ID() != want {
			t.Errorf("%s: got %+v, want %s first", query, res, want)
		}
	}
	words := fill(t, &catalog.Options{Embedding: func(context.Context, string) ([]float32, error) {
		t.Error("embedded although the weight is negative")
		return nil, nil
	}, VectorWeight: -1}, []catalog.Server{zoo()})
	if res := search(t, words, text("water")); !res.Lexical || res.Err != nil || len(res.Hits) != 1 {
		t.Errorf("words alone: got %+v", res)
	}
}

// TestEmbedOnce counts what is embedded when a server is set again.
func TestEmbedOnce(t *testing.T) {
	var calls atomic.Int64
	embed := func(ctx context.Context, text string) ([]float32, error) {
		calls.Add(1)
		return animals(ctx, text)
	}
	s := zoo()
	c := fill(t, &catalog.Options{Embedding: embed}, []catalog.Server{s})
	steps := []struct {
		name   string
		change func()
		want   int64
	}{
		{"nothing", func() {}, 0},
		{"an output schema", func() { s.Tools[0].OutputSchema = []byte(`{}`) }, 0},
		{"one description", func() { s.Tools[0].Description = "Gives milk." }, 1},
		{"one tool less", func() { s.Tools = s.Tools[1:] }, 0},
		{"one tool more", func() { s.Tools = append(s.Tools, catalog.Tool{Name: "new"}) }, 1},
		{"the title", func() { s.Title = "Zoo" }, 3},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			before := calls.Load()
			step.change()
			if err := c.SetServer(context.Background(), s); err != nil {
				t.Fatal(err)
			}
			if got := calls.Load() - before; got != step.want {
				t.Errorf("embedded %d texts, want %d", got, step.want)
			}
			if res := search(t, c, text("puppy")); res.Err != nil || res.Hits[0].Tool.Name != "walk_dog" {
				t.Errorf("got %+v", res)
			}
		})
	}
}

var errService = errors.New("service down")

// TestEmbeddingFaults breaks the embedding of tools, of queries, or of both.
func TestEmbeddingFaults(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	faults := map[string]catalog.EmbeddingFunc{
		"error":      func(context.Context, string) ([]float32, error) { return nil, errService },
		"nil":        func(context.Context, string) ([]float32, error) { return nil, nil },
		"zero":       func(context.Context, string) ([]float32, error) { return []float32{0, 0, 0}, nil },
		"NaN":        func(context.Context, string) ([]float32, error) { return []float32{1, nan, 1}, nil },
		"infinite":   func(context.Context, string) ([]float32, error) { return []float32{1, inf, 1}, nil },
		"dimensions": func(context.Context, string) ([]float32, error) { return []float32{1, 2, 3, 4, 5}, nil },
		"hangs": func(ctx context.Context, _ string) ([]float32, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"hangs and ignores its context": func(context.Context, string) ([]float32, error) {
			time.Sleep(time.Hour)
			return nil, nil
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				c, err := catalog.New(&catalog.Options{Embedding: func(ctx context.Context, text string) ([]float32, error) {
					if broken.Load() {
						return fault(ctx, text)
					}
					return animals(ctx, text)
				}})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.SetServer(context.Background(), zoo()); err != nil {
					t.Fatal(err)
				}

				broken.Store(true)
				start := time.Now()
				res := search(t, c, text("change water"))
				if took := time.Since(start); took > catalog.DefaultEmbeddingTimeout {
					t.Errorf("the search took %v", took)
				}
				if !res.Lexical || !errors.Is(res.Err, catalog.ErrEmbedding) {
					t.Errorf("query: got Lexical %v and error %v", res.Lexical, res.Err)
				}
				if len(res.Hits) == 0 || res.Hits[0].Tool.Name != "tank_fish" {
					t.Errorf("query: got %v", res.Hits)
				}

				farm := catalog.Server{Name: "farm", Tools: []catalog.Tool{{Name: "milk_cow"}, {Name: "shear_sheep"}}}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if err := c.SetServer(ctx, farm); !errors.Is(err, catalog.ErrEmbedding) {
					t.Errorf("tools: got error %v", err)
				}
				if got := ids(search(t, c, text("sheep"))); len(got) == 0 || got[0] != "farm.shear_sheep" {
					t.Errorf("tools: got %v, want them searchable by words", got)
				}

				broken.Store(false)
				if res := search(t, c, text("sheep")); res.Lexical || res.Err != nil || res.Hits[0].Tool.Name != "shear_sheep" {
					t.Errorf("half embedded: got %+v", res)
				}
				if err := c.SetServer(context.Background(), farm); err != nil {
					t.Errorf("again: %v", err)
				}
				// Let the calls that ignore their context come home.
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

func TestEmbeddingErrorIsWrapped(t *testing.T) {
	c, err := catalog.New(&catalog.Options{Embedding: func(context.Context, string) ([]float32, error) { return nil, errService }})
	if err != nil {
		t.Fatal(err)
	}
	err = c.SetServer(context.Background(), zoo())
	if !errors.Is(err, errService) || !strings.Contains(err.Error(), "3 of 3 tools") {
		t.Errorf("got %v", err)
	}
	if res := search(t, c, text("cat")); !errors.Is(res.Err, errService) || len(res.Hits) != 1 {
		t.Errorf("got %+v", res)
	}
}

// TestNoVectorsAtAll is a catalog whose service came up too late.
func TestNoVectorsAtAll(t *testing.T) {
	down := true
	c, err := catalog.New(&catalog.Options{Embedding: func(ctx context.Context, text string) ([]float32, error) {
		if down {
			return nil, errService
		}
		return animals(ctx, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetServer(context.Background(), zoo()); err == nil {
		t.Fatal("no error")
	}
	down = false
	if res := search(t, c, text("cat")); !res.Lexical || !errors.Is(res.Err, catalog.ErrEmbedding) || len(res.Hits) != 1 {
		t.Errorf("got %+v", res)
	}
}

// TestDimensionsStartOver has a service whose first vectors were odd.
func TestDimensionsStartOver(t *testing.T) {
	odd := true
	c, err := catalog.New(&catalog.Options{Embedding: func(ctx context.Context, text string) ([]float32, error) {
		if odd {
			return []float32{1}, nil
		}
		return animals(ctx, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := c.SetServer(ctx, zoo()); err != nil {
		t.Fatal(err)
	}
	odd = false
	farm := catalog.Server{Name: "farm", Tools: []catalog.Tool{{Name: "milk_cow"}}}
	if err := c.SetServer(ctx, farm); !errors.Is(err, catalog.ErrEmbedding) || !strings.Contains(err.Error(), "3 dimensions, the others have 1") {
		t.Errorf("got %v", err)
	}
	c.RemoveServer("zoo")
	for _, s := range []catalog.Server{zoo(), farm} {
		if err := c.SetServer(ctx, s); err != nil {
			t.Error(err)
		}
	}
	if res := search(t, c, text("puppy")); res.Err != nil || len(res.Hits) == 0 || res.Hits[0].Tool.Name != "walk_dog" {
		t.Errorf("got %+v", res)
	}
}

func TestOptions(t *testing.T) {
	for _, w := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := catalog.New(&catalog.Options{VectorWeight: w}); err == nil {
			t.Errorf("no error for a vector weight of %v", w)
		}
	}
}

// TestGivesUp has a service that is down for a large server.
func TestGivesUp(t *testing.T) {
	var calls atomic.Int64
	c, err := catalog.New(&catalog.Options{Concurrency: 4, Embedding: func(context.Context, string) ([]float32, error) {
		calls.Add(1)
		return nil, errService
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := catalog.Server{Name: "big"}
	for i := range 1000 {
		s.Tools = append(s.Tools, catalog.Tool{Name: strings.Repeat("a", i+1)})
	}
	if err := c.SetServer(context.Background(), s); !errors.Is(err, errService) {
		t.Errorf("got %v", err)
	}
	if n := calls.Load(); n > 8 {
		t.Errorf("called the service %d times", n)
	}
	if c.Len() != 1000 {
		t.Errorf("got %d tools", c.Len())
	}
}

// TestSearchWhileEmbedding holds the embedding of a server up.
func TestSearchWhileEmbedding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, err := catalog.New(&catalog.Options{Concurrency: 2, Embedding: func(ctx context.Context, text string) ([]float32, error) {
			if strings.HasPrefix(text, "zoo") {
				<-release
			}
			return animals(ctx, text)
		}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetServer(context.Background(), catalog.Server{Name: "pets", Tools: []catalog.Tool{{Name: "cat_food"}}}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.SetServer(context.Background(), zoo()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if got := ids(search(t, c, text("water"))); len(got) == 0 || got[0] != "zoo.tank_fish" {
			t.Errorf("got %v while the server is embedded, want zoo.tank_fish by its words", got)
		}
		if got := ids(search(t, c, text("kitten"))); len(got) == 0 || got[0] != "pets.cat_food" {
			t.Errorf("got %v while the server is embedded", got)
		}
		// A server removed meanwhile does not come back.
		c.RemoveServer("zoo")
		close(release)
		wg.Wait()
		if c.Len() != 1 {
			t.Errorf("got %d tools after removing the server, want 1", c.Len())
		}
	})
}

func TestEmbeddedTextIsBounded(t *testing.T) {
	c, err := catalog.New(&catalog.Options{Embedding: func(ctx context.Context, text string) ([]float32, error) {
		if n := utf8.RuneCountInString(text); n > 2000 || !utf8.ValidString(text) {
			t.Errorf("asked to embed %d characters, valid %v", n, utf8.ValidString(text))
		}
		return animals(ctx, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("è\xff", 1<<20)
	if err := c.SetServer(context.Background(), catalog.Server{Name: "s", Title: long, Tools: []catalog.Tool{{Name: "a", Title: long, Description: long}}}); err != nil {
		t.Fatal(err)
	}
	search(t, c, text(long))
}
