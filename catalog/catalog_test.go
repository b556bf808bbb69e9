package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/internal/searcheval"
	"github.com/google/go-cmp/cmp"
)

func search(t testing.TB, c *catalog.Catalog, q catalog.Query) *catalog.Results {
	t.Helper()
	res, err := c.Search(context.Background(), q)
	if err != nil {
		t.Fatalf("search %q: %v", q.Texts, err)
	}
	for i, h := range res.Hits {
		if !(h.Score >= 0 && h.Score <= 1) {
			t.Errorf("search %q: score of %s is %v", q.Texts, h.Tool.ID(), h.Score)
		}
		if i > 0 && h.Score > res.Hits[i-1].Score {
			t.Errorf("search %q: hit %d has a higher score than the one before", q.Texts, i)
		}
	}
	return res
}

func text(s ...string) catalog.Query { return catalog.Query{Texts: s} }

func ids(res *catalog.Results) []string {
	out := make([]string, len(res.Hits))
	for i, h := range res.Hits {
		out[i] = h.Tool.ID()
	}
	return out
}

// TestFloor keeps the ranking from getting worse unnoticed, on the project's own
// queries: other words than the tool's, requests in sentences, typing errors, names in
// other languages. A floor is a little below what was measured when it was set.
func TestFloor(t *testing.T) {
	set, err := searcheval.LoadSet(filepath.Join("testdata", "search"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(set.Queries); n < 120 {
		t.Fatalf("there are %d queries, want 120", n)
	}
	for _, tt := range []struct {
		name                   string
		options                *catalog.Options
		recall1, recall5, ndcg float64
	}{
		{"words", &catalog.Options{VectorWeight: -1}, .53, .73, .65},
		{"words and vectors", nil, .69, .93, .83},
	} {
		got, failures, err := searcheval.Measure(context.Background(), searcheval.Search(fill(t, tt.options, set.Servers)), set.Queries)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: Recall@1 %.3f, Recall@5 %.3f, nDCG@10 %.3f", tt.name, got.Recall1, got.Recall5, got.NDCG10)
		if got.Recall1 < tt.recall1 || got.Recall5 < tt.recall5 || got.NDCG10 < tt.ndcg {
			t.Errorf("%s: Recall@1 %.3f, Recall@5 %.3f, nDCG@10 %.3f; the floor is %v, %v, %v", tt.name, got.Recall1, got.Recall5, got.NDCG10, tt.recall1, tt.recall5, tt.ndcg)
			for _, f := range failures {
				t.Logf("%q: want %s among %v", f.Query, f.Gold[0], f.Found)
			}
		}
	}
}

// TestWhy checks what is said of a hit.
func TestWhy(t *testing.T) {
	c := fill(t, nil, fixture())
	for query, want := range map[string]catalog.Why{
		"create_issue":     {Named: true, Words: []string{"create", "issue"}},
		"merging requests": {Words: []string{"merging", "requests"}},
		"serach codee":     {Words: []string{"search", "codee"}},
		"lodging":          {},
	} {
		got := search(t, c, text(query)).Hits[0].Why
		if got.Cosine <= 0 && query != "serach codee" {
			t.Errorf("%s: cosine %v", query, got.Cosine)
		}
		got.Cosine = 0
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestNamesFirst(t *testing.T) {
	servers := append(fixture(), server("decoy", "", "", `
		make_things | create_issue create_issue create issue create issue | issue:create issue
		query_all | query query query | query:query`))
	c := fill(t, nil, servers)
	for _, tt := range []struct {
		query, want string
		score       float64
	}{
		{"create_issue", "github.create_issue", 1},
		{"CREATE_ISSUE", "github.create_issue", 1},
		{"github.create_issue", "github.create_issue", 1},
		{"createIssue", "github.create_issue", .95},
		{"issues-create", "github.create_issue", .95},
		{"github create issue", "github.create_issue", .95},
		{"post message", "slack.postMessage", .95},
		{"query", "postgres.query", 1},
		{"first call `files.read_file`, then stop", "files.read_file", .95},
	} {
		t.Run(tt.query, func(t *testing.T) {
			res := search(t, c, text(tt.query))
			if len(res.Hits) == 0 || res.Hits[0].Tool.ID() != tt.want || res.Hits[0].Score != tt.score {
				t.Errorf("got %v, want %s first with score %v", res.Hits, tt.want, tt.score)
			}
			if len(res.Hits) > 1 && res.Hits[1].Score > .9 {
				t.Errorf("%s is not named but has score %v", res.Hits[1].Tool.ID(), res.Hits[1].Score)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	c := fill(t, nil, fixture())
	t.Run("no text", func(t *testing.T) {
		for _, q := range []catalog.Query{{}, text(""), text(" ", "\n")} {
			if _, err := c.Search(context.Background(), q); !errors.Is(err, catalog.ErrNoQuery) {
				t.Errorf("%q: got error %v, want ErrNoQuery", q.Texts, err)
			}
		}
	})
	t.Run("done context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := c.Search(ctx, text("issue")); !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want context.Canceled", err)
		}
	})
	t.Run("nonsense finds nothing", func(t *testing.T) {
		for _, q := range []string{"qqqxyzzy", "!!!", "§"} {
			if res := search(t, c, text(q)); len(res.Hits) != 0 {
				t.Errorf("%q found %v", q, ids(res))
			}
		}
	})
	t.Run("stop words as a name", func(t *testing.T) {
		c := fill(t, nil, []catalog.Server{{Name: "s", Tools: []catalog.Tool{{Name: "who_is"}, {Name: "about"}, {Name: "x"}}}})
		for query, want := range map[string]string{"about": "s.about", "who is": "s.who_is"} {
			if got := ids(search(t, c, text(query))); len(got) != 1 || got[0] != want {
				t.Errorf("%q: got %v, want %s", query, got, want)
			}
		}
	})
	t.Run("limit", func(t *testing.T) {
		for limit, want := range map[int]int{0: 8, -1: 8, 3: 3, 1000: 30} {
			got := len(search(t, c, catalog.Query{Texts: []string{"a file, email, message, table or image"}, Limit: limit}).Hits)
			if limit == 1000 && got <= 8 || limit != 1000 && got != want {
				t.Errorf("limit %d: got %d hits, want %d", limit, got, want)
			}
		}
	})
	t.Run("minimal score", func(t *testing.T) {
		all := search(t, c, text("create a file"))
		least := all.Hits[2].Score
		some := search(t, c, catalog.Query{Texts: []string{"create a file"}, MinScore: least})
		if diff := cmp.Diff(all.Hits[:3], some.Hits); diff != "" {
			t.Errorf("hits (-want +got):\n%s", diff)
		}
	})
	t.Run("server is a filter", func(t *testing.T) {
		for _, name := range []string{"slack", "SLACK"} {
			res := search(t, c, catalog.Query{Texts: []string{"list the users of files and issues"}, Server: name})
			if len(res.Hits) == 0 {
				t.Fatal("no hits")
			}
			for _, id := range ids(res) {
				if !strings.HasPrefix(id, "slack.") {
					t.Errorf("%s: found %s", name, id)
				}
			}
		}
		res := search(t, c, catalog.Query{Texts: []string{"list"}, Server: "PostgreSQL"}) // a title
		if got := ids(res); len(got) != 1 || got[0] != "postgres.list_tables" {
			t.Errorf("by title: got %v", got)
		}
	})
	t.Run("unknown server is a preference", func(t *testing.T) {
		q := catalog.Query{Texts: []string{"search"}, Limit: 3}
		q.Server = "a mailbox server"
		if got := ids(search(t, c, q)); len(got) == 0 || got[0] != "mail.search_emails" {
			t.Errorf("got %v, want mail.search_emails first", got)
		}
		q.Server = "hotels and flights"
		if got := ids(search(t, c, q)); len(got) == 0 || !strings.HasPrefix(got[0], "travel.") {
			t.Errorf("got %v, want a tool of travel first", got)
		}
	})
	t.Run("several texts", func(t *testing.T) {
		got := ids(search(t, c, catalog.Query{Texts: []string{"forecast rain", "transcribe audio"}, Limit: 2}))
		slices.Sort(got)
		if diff := cmp.Diff([]string{"media.transcribeAudio", "travel.weather_forecast"}, got); diff != "" {
			t.Errorf("hits (-want +got):\n%s", diff)
		}
	})
	t.Run("allow", func(t *testing.T) {
		q := text("create a file")
		q.Allow = func(id string) bool { return !strings.HasPrefix(id, "files.") }
		for _, id := range ids(search(t, c, q)) {
			if strings.HasPrefix(id, "files.") {
				t.Errorf("found %s, which is not allowed", id)
			}
		}
	})
}

// TestAllowDeep refuses far more tools than a search proposes.
func TestAllowDeep(t *testing.T) {
	s := catalog.Server{Name: "s"}
	for i := range 2000 {
		s.Tools = append(s.Tools, catalog.Tool{Name: fmt.Sprintf("read_%04d", i), Description: "Read a sensor."})
	}
	c := fill(t, nil, []catalog.Server{s})
	q := text("read sensor")
	q.Allow = func(id string) bool { return id == "s.read_1999" }
	if got := ids(search(t, c, q)); len(got) != 1 || got[0] != "s.read_1999" {
		t.Errorf("got %v, want the one allowed tool", got)
	}
}

func TestServers(t *testing.T) {
	ctx := context.Background()
	c := fill(t, nil, fixture())
	if c.Len() != 42 {
		t.Fatalf("got %d tools, want 42", c.Len())
	}
	before := c.Tools()
	if !slices.IsSortedFunc(before, func(a, b catalog.Tool) int { return strings.Compare(a.ID(), b.ID()) }) {
		t.Error("tools are not sorted")
	}

	// Replacing a server changes its tools and no others.
	mail := server("mail", "", "", `archive | Put old letters away. | id:Letter`)
	if err := c.SetServer(ctx, mail); err != nil {
		t.Fatal(err)
	}
	if c.Len() != 42-6+1 {
		t.Errorf("got %d tools after replacing mail", c.Len())
	}
	if _, ok := c.Tool("mail.send_email"); ok {
		t.Error("mail.send_email is still there")
	}
	if got, ok := c.Tool("mail.archive"); !ok || got.Server != "mail" {
		t.Errorf("mail.archive: got %v, %v", got, ok)
	}
	if got := ids(search(t, c, text("put away letters"))); got[0] != "mail.archive" {
		t.Errorf("got %v", got)
	}
	for _, id := range ids(search(t, c, text("send an email"))) {
		if id == "mail.send_email" {
			t.Error("found a tool that was replaced")
		}
	}

	// Setting it back gives the same catalog.
	for _, s := range fixture() {
		if s.Name == "mail" {
			if err := c.SetServer(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(before, c.Tools()); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(search(t, fill(t, nil, fixture()), text("send an email")), search(t, c, text("send an email"))); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}

	c.RemoveServer("mail")
	c.RemoveServer("mail")
	c.RemoveServer("never")
	if c.Len() != 36 {
		t.Errorf("got %d tools after removing mail, want 36", c.Len())
	}
	for _, s := range fixture() {
		c.RemoveServer(s.Name)
	}
	if c.Len() != 0 || len(search(t, c, text("send an email")).Hits) != 0 {
		t.Error("the catalog is not empty")
	}
	if err := c.SetServer(ctx, catalog.Server{Name: "empty"}); err != nil {
		t.Errorf("server without tools: %v", err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.SetServer(done, mail); !errors.Is(err, context.Canceled) || c.Len() != 0 {
		t.Errorf("done context: got %v and %d tools", err, c.Len())
	}
}

func TestToolWithDots(t *testing.T) {
	c := fill(t, nil, []catalog.Server{
		{Name: "a.b", Tools: []catalog.Tool{{Name: "c"}, {Name: "d.e"}}},
		{Name: "a", Tools: []catalog.Tool{{Name: "b.c"}}},
	})
	for id, server := range map[string]string{"a.b.c": "a", "a.b.d.e": "a.b"} {
		if got, ok := c.Tool(id); !ok || got.Server != server {
			t.Errorf("%s: got %v, %v, want the one of %s", id, got, ok, server)
		}
	}
	for _, id := range []string{"", ".", "a", "a.", ".c", "a.b", "x.y"} {
		if _, ok := c.Tool(id); ok {
			t.Errorf("%q is a tool", id)
		}
	}
	if got := ids(search(t, c, text("c"))); len(got) != 2 {
		t.Errorf("got %v, want both tools named a.b.c", got)
	}
}

// TestDeterminism fills catalogs in different orders and ways.
func TestDeterminism(t *testing.T) {
	// Many equal tools make ties, more than any cut.
	clones := catalog.Server{Name: "clones"}
	for i := range 300 {
		clones.Tools = append(clones.Tools, catalog.Tool{Name: fmt.Sprintf("clone%c%c", 'a'+i/26, 'a'+i%26), Description: "Bake a cake."})
	}
	servers := append(fixture(), clones)
	queries := slices.Sorted(maps.Keys(fixtureQueries))
	queries = append(queries, "bake cakes", "bakery", "file cake")
	results := func(c *catalog.Catalog) []*catalog.Results {
		var out []*catalog.Results
		for _, q := range queries {
			out = append(out, search(t, c, text(q)), search(t, c, text(q, "cake")))
		}
		return out
	}
	want := results(fill(t, nil, servers))
	r := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		r.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
		for _, s := range servers {
			r.Shuffle(len(s.Tools), func(i, j int) { s.Tools[i], s.Tools[j] = s.Tools[j], s.Tools[i] })
		}
		c := fill(t, nil, servers[1:])
		if err := c.SetServer(context.Background(), catalog.Server{Name: servers[0].Name, Tools: servers[1].Tools}); err != nil {
			t.Fatal(err)
		}
		if err := c.SetServer(context.Background(), servers[0]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, results(c)); diff != "" {
			t.Fatalf("results (-first +shuffled):\n%s", diff)
		}
	}
}

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	ctx := context.Background()
	servers := fixture()
	c := fill(t, nil, servers)
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for _, s := range servers[1:] {
		writers.Go(func() {
			for i := range 20 {
				if i%5 == 4 {
					c.RemoveServer(s.Name)
				}
				if err := c.SetServer(ctx, s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// The server that nobody touches is found all the time.
				got := ids(search(t, c, text("create an issue on github", "bug report")))
				if len(got) == 0 || got[0] != "github.create_issue" {
					t.Errorf("got %v", got)
					return
				}
				c.Tools()
				c.Nearest("github.creat_issue", 3)
				if _, ok := c.Tool("github.create_issue"); !ok {
					t.Error("github.create_issue is gone")
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if c.Len() != 42 {
		t.Errorf("got %d tools, want 42", c.Len())
	}
}

// TestManyServers has more servers than are asked one by one, which come, change and
// go, and compares with a catalog that has only seen the last of them.
func TestManyServers(t *testing.T) {
	ctx := context.Background()
	make := func(i, round int) catalog.Server {
		s := catalog.Server{Name: fmt.Sprintf("s%03d", i), Description: fmt.Sprintf("about topic%d", i%7)}
		for j := range 3 {
			s.Tools = append(s.Tools, catalog.Tool{Name: fmt.Sprintf("tool_%d", j), Description: fmt.Sprintf("Works on thing%d and part%d, round%d.", i%11, j, round)})
		}
		return s
	}
	r := rand.New(rand.NewPCG(3, 4))
	c, current := fill(t, nil, nil), map[int]int{}
	for step := range 1500 {
		i := r.IntN(600)
		if _, there := current[i]; there && step%4 == 0 {
			delete(current, i)
			c.RemoveServer(make(i, 0).Name)
			continue
		}
		current[i] = step % 5
		if err := c.SetServer(ctx, make(i, step%5)); err != nil {
			t.Fatal(err)
		}
	}
	fresh := fill(t, nil, nil)
	for _, i := range slices.Sorted(maps.Keys(current)) {
		if err := fresh.SetServer(ctx, make(i, current[i])); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"thing3 part1", "topic2 round4", "tool 2", "work on thing10", "round0"} {
		want, got := search(t, fresh, text(q)), search(t, c, text(q))
		if diff := cmp.Diff(want, got); diff != "" || len(got.Hits) == 0 {
			t.Errorf("%s (-fresh +changed):\n%s", q, diff)
		}
	}
}
