package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/internal/searcheval"
)

// A shelf is a byte store with compare-and-swap, as replicas share one.
type shelf struct {
	mu   sync.Mutex
	data []byte
	fail error
}

func (s *shelf) update(_ context.Context, change func([]byte) ([]byte, error)) error {
	for {
		s.mu.Lock()
		before := s.data
		s.mu.Unlock()
		next, err := change(before)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if s.fail != nil {
			defer s.mu.Unlock()
			return s.fail
		}
		same := string(s.data) == string(before)
		if same {
			s.data = next
		}
		s.mu.Unlock()
		if same {
			return nil
		}
	}
}

func kitchen() []catalog.Server {
	return []catalog.Server{server("kitchen", "", "", `
		oven_on | Heats the oven. | degrees:Temperature
		oven_off | Cools the oven. |
		mixer_start | Starts the mixer. | speed:Speed
		fridge_list | Lists what is in the fridge. |`)}
}

func teach(l *catalog.Learning, conversations int, query string, tools ...string) {
	for i := range conversations {
		l.Record(catalog.Outcome{Conversation: fmt.Sprint(query, i), Queries: []string{query}, Tools: tools})
	}
}

func first(t *testing.T, c *catalog.Catalog, q catalog.Query) string {
	t.Helper()
	res := search(t, c, q)
	if len(res.Hits) == 0 {
		return ""
	}
	return res.Hits[0].Tool.ID()
}

func TestLearningWords(t *testing.T) {
	l := catalog.NewLearning()
	c := fill(t, &catalog.Options{Learning: l, VectorWeight: -1}, kitchen())
	if got := first(t, c, text("bake bread")); got != "" {
		t.Fatalf("before: got %s", got)
	}
	// One conversation, however often, moves nothing.
	for range 100 {
		l.Record(catalog.Outcome{Conversation: "one", Queries: []string{"bake bread"}, Tools: []string{"kitchen.mixer_start"}})
	}
	if got := first(t, c, text("bake bread")); got != "" {
		t.Errorf("one conversation made %s a hit", got)
	}
	teach(l, 3, "bake some bread", "kitchen.oven_on")
	if got := first(t, c, text("I would bake bread")); got != "kitchen.oven_on" {
		t.Errorf("got %q, want kitchen.oven_on", got)
	}
	// What is gone from the catalog is not found.
	c.RemoveServer("kitchen")
	if got := first(t, c, text("bake bread")); got != "" {
		t.Errorf("got %s of a server that is gone", got)
	}
}

func TestLearningTurns(t *testing.T) {
	l := catalog.NewLearning()
	c := fill(t, &catalog.Options{Learning: l, VectorWeight: -1}, kitchen())
	q := catalog.Query{Texts: []string{"oven"}, Context: &catalog.Context{Used: []string{"kitchen.mixer_start"}, Recent: []string{"a cake"}}}
	if got := first(t, c, q); got != "kitchen.oven_off" {
		t.Fatalf("before: got %s, want kitchen.oven_off, whose text is shorter", got)
	}
	for i := range 4 {
		l.Record(catalog.Outcome{Conversation: fmt.Sprint(i), Tools: []string{"kitchen.oven_on"}, Before: []string{"kitchen.mixer_start"}})
	}
	if got := first(t, c, q); got != "kitchen.oven_on" {
		t.Errorf("after the mixer: got %s, want kitchen.oven_on", got)
	}
	if got := first(t, c, text("oven")); got != "kitchen.oven_off" {
		t.Errorf("without context: got %s", got)
	}
}

// TestLearningPoisoned has two conversations that teach nonsense: they can add a
// tool to what is found, but take no tool from the top by its name.
func TestLearningPoisoned(t *testing.T) {
	l := catalog.NewLearning()
	c := fill(t, &catalog.Options{Learning: l}, fixture())
	teach(l, 50, "create an issue on github", "mail.delete_email")
	if got := first(t, c, text("create_issue")); got != "github.create_issue" {
		t.Errorf("by name: got %s", got)
	}
	if got := ids(search(t, c, text("create an issue on github"))); got[0] != "github.create_issue" && got[1] != "github.create_issue" {
		t.Errorf("got %v", got)
	}
}

func TestLearningSync(t *testing.T) {
	ctx := context.Background()
	store := new(shelf)
	replicas := make([]*catalog.Learning, 4)
	var wg sync.WaitGroup
	for r := range replicas {
		replicas[r] = catalog.NewLearning()
		wg.Go(func() {
			for i := range 20 {
				replicas[r].Record(catalog.Outcome{Conversation: fmt.Sprint(r, "-", i), Queries: []string{fmt.Sprintf("word%c%c", 'a'+r, 'a'+i)}, Tools: []string{"kitchen.oven_on"}})
				if err := replicas[r].Sync(ctx, store.update); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, l := range replicas { // adopt what the others saved last
		if err := l.Sync(ctx, store.update); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(string(store.data), `"uses":[80,`) {
		t.Errorf("a conversation was lost: %.200s", store.data)
	}
	saved := string(store.data)
	for i, l := range replicas {
		other := &shelf{}
		if err := l.Sync(ctx, other.update); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(saved, string(other.data)); diff != "" {
			t.Errorf("replica %d knows other things (-saved +replica):\n%s", i, diff)
		}
	}
	// A new replica knows what the others have learned.
	l := catalog.NewLearning()
	c := fill(t, &catalog.Options{Learning: l, VectorWeight: -1}, kitchen())
	teach(replicas[0], 2, "bake", "kitchen.oven_on")
	for _, l := range []*catalog.Learning{replicas[0], l} {
		if err := l.Sync(ctx, store.update); err != nil {
			t.Fatal(err)
		}
	}
	if got := first(t, c, text("bake")); got != "kitchen.oven_on" {
		t.Errorf("a new replica found %q", got)
	}
}

func TestLearningSyncFaults(t *testing.T) {
	ctx := context.Background()
	t.Run("a failing store loses nothing", func(t *testing.T) {
		store := &shelf{fail: errors.New("store is down")}
		l := catalog.NewLearning()
		teach(l, 2, "bake", "kitchen.oven_on")
		if err := l.Sync(ctx, store.update); !errors.Is(err, store.fail) {
			t.Fatalf("got %v", err)
		}
		store.fail = nil
		if err := l.Sync(ctx, store.update); err != nil || !strings.Contains(string(store.data), `"uses":[2,`) {
			t.Errorf("got %v and %s", err, store.data)
		}
	})
	t.Run("nothing learned saves nothing", func(t *testing.T) {
		store := &shelf{}
		if err := catalog.NewLearning().Sync(ctx, store.update); err != nil || store.data != nil {
			t.Errorf("got %v and %s", err, store.data)
		}
	})
	t.Run("damage counts as nothing", func(t *testing.T) {
		for _, damage := range []string{"{", "null", `{"format":1}`, `{"format":1,"tools":{"a.b":{"uses":[1,2,-3]}}}`, `{"format":1,"tools":{"a.b":{"uses":[1e999]}}}`} {
			store := &shelf{data: []byte(damage)}
			l := catalog.NewLearning()
			teach(l, 2, "bake", "kitchen.oven_on")
			if err := l.Sync(ctx, store.update); err != nil || !strings.Contains(string(store.data), `"uses":[2,`) {
				t.Errorf("%s: got %v and %s", damage, err, store.data)
			}
		}
	})
	t.Run("a newer format is left alone", func(t *testing.T) {
		store := &shelf{data: []byte(`{"format":99}`)}
		l := catalog.NewLearning()
		teach(l, 2, "bake", "kitchen.oven_on")
		if err := l.Sync(ctx, store.update); !errors.Is(err, catalog.ErrLearnedFormat) || string(store.data) != `{"format":99}` {
			t.Errorf("got %v and %s", err, store.data)
		}
	})
}

func TestLearningIsBounded(t *testing.T) {
	l := catalog.NewLearning()
	teach(l, 3, "bake", "kitchen.oven_on")
	for i := range 400 {
		var words []string
		for j := range 60 {
			words = append(words, fmt.Sprintf("w%dx%d", i, j))
		}
		l.Record(catalog.Outcome{Conversation: fmt.Sprint(i), Queries: []string{strings.Join(words, " ")},
			Tools: []string{fmt.Sprintf("s.tool%d", i), fmt.Sprintf("s.other%d", i), strings.Repeat("x", 5000)}, Before: []string{"s.start"}})
	}
	store := new(shelf)
	if err := l.Sync(context.Background(), store.update); err != nil {
		t.Fatal(err)
	}
	if n := len(store.data); n > 2<<20 {
		t.Errorf("%d bytes", n)
	}
	c := fill(t, &catalog.Options{Learning: l, VectorWeight: -1}, kitchen())
	if got := first(t, c, text("bake")); got != "kitchen.oven_on" {
		t.Errorf("a flood washed away what three conversations taught: got %q", got)
	}
}

// TestLearningPays holds learning to its worth on public sets: half of the
// conversations teach, the other half is asked.
func TestLearningPays(t *testing.T) {
	if testing.Short() {
		t.Skip("measures quality")
	}
	for _, name := range []string{"toole", "bfcl_multiturn"} {
		set := corpus(t, name, 100_000)
		l := catalog.NewLearning()
		c := fill(t, &catalog.Options{Learning: l}, set.Servers)
		lessons, asked := searcheval.Halves(set.Queries)
		ranker := searcheval.SearchInContext(c)
		before := measure(t, ranker, asked)
		for _, q := range lessons {
			l.Record(q.Outcome())
		}
		after := measure(t, ranker, asked)
		t.Logf("%-16s Recall@1 %.3f → %.3f, Recall@5 %.3f → %.3f, nDCG@10 %.3f → %.3f", name, before.Recall1, after.Recall1, before.Recall5, after.Recall5, before.NDCG10, after.NDCG10)
		switch {
		case name == "toole" && after.NDCG10 < before.NDCG10+.05:
			t.Errorf("nDCG@10 of %s did not gain five points", name)
		case name == "bfcl_multiturn" && after.Recall1 < before.Recall1+.05:
			t.Errorf("Recall@1 of %s did not gain five points", name)
		}
	}
}
