package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/mcpclient"
)

// fill makes a catalog of servers.
func fill(ctx context.Context, servers []catalog.Server) (*catalog.Catalog, error) {
	c, err := catalog.New(nil)
	if err != nil {
		return nil, err
	}
	for _, s := range servers {
		if err := c.SetServer(ctx, s); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// findFew measures all of FindTools, through a conversation with servers in this
// process.
func findFew(ctx context.Context, env *Env) (row Row, err error) {
	servers := env.servers(env.Sizes.Tools)
	var offered []mcpclient.Server
	for _, s := range servers {
		server, stop := inProcess(s.Name, s.Tools)
		defer stop()
		offered = append(offered, server)
	}
	c, err := env.conductor(ctx, nil, true, offered...)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		return row, err
	}
	return env.searches(ctx, servers, env.Sizes.Queries, func(question string) (int, error) {
		found, err := conv.FindTools(ctx, question, nil)
		if err != nil {
			return 0, err
		}
		return len(found.Tools), nil
	})
}

// findMany measures the search alone: to connect to servers with so many tools
// would take far longer than to search them.
func findMany(ctx context.Context, env *Env) (Row, error) {
	servers := env.servers(env.Sizes.ManyTools)
	start := time.Now()
	c, err := fill(ctx, servers)
	if err != nil {
		return Row{}, err
	}
	filled := time.Since(start)
	row, err := env.searches(ctx, servers, max(1, env.Sizes.Queries/20), func(question string) (int, error) {
		found, err := c.Search(ctx, catalog.Query{Texts: []string{question}})
		if err != nil {
			return 0, err
		}
		return len(found.Hits), nil
	})
	row.Notes = append(row.Notes, fmt.Sprintf("the catalog's search, without a conversation; indexing took %.1f s", filled.Seconds()))
	return row, err
}

// searches measures find, in turns with a plain scan for the words of the question.
func (e *Env) searches(ctx context.Context, servers []catalog.Server, n int, find func(string) (int, error)) (row Row, err error) {
	questions := e.questions()
	scan := newScanner(servers)
	var took, alone []time.Duration
	hits := 0
	const fifth = 5
	for i := range n + 1 {
		question := questions[i%len(questions)]
		start := time.Now()
		found, err := find(question)
		one := time.Since(start)
		if err = errors.Join(err, ctx.Err()); err != nil {
			return row, err
		}
		if i == 0 { // fills buffers
			continue
		}
		hits += found
		took = append(took, one)
		if i%fifth == 1 {
			start := time.Now()
			scan.find(question)
			alone = append(alone, time.Since(start))
		}
	}
	if hits == 0 {
		return row, errors.New("no search found anything")
	}
	row.Measured = times(took)
	row.Baseline = &Baseline{"a scan of the same texts for the words", times(alone)}
	return row, nil
}

// A scanner is what one would write without a catalog: it counts the words of the
// question that a tool's text has in it.
type scanner struct {
	texts []string // lower-case: name, description and parameters
}

func newScanner(servers []catalog.Server) *scanner {
	s := &scanner{}
	for _, server := range servers {
		for _, t := range server.Tools {
			s.texts = append(s.texts, strings.ToLower(t.Name+" "+t.Description+" "+string(t.InputSchema)))
		}
	}
	return s
}

// find returns the tools with the most words, by their place.
func (s *scanner) find(question string) []int {
	type hit struct{ at, words int }
	words := strings.Fields(strings.ToLower(question))
	var hits []hit
	for i, text := range s.texts {
		n := 0
		for _, word := range words {
			if strings.Contains(text, word) {
				n++
			}
		}
		if n > 0 {
			hits = append(hits, hit{i, n})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.words, a.words) })
	var best []int
	for _, h := range hits[:min(catalog.DefaultLimit, len(hits))] {
		best = append(best, h.at)
	}
	return best
}

// index measures the filling of an empty catalog, in turns with merely reading the
// same tools from their JSON.
func index(ctx context.Context, env *Env) (row Row, err error) {
	servers := env.servers(env.Sizes.Tools)
	document, err := json.Marshal(servers)
	if err != nil {
		return row, err
	}
	var took, alone []time.Duration
	for i := range env.Sizes.Indexings + 1 {
		start := time.Now()
		if _, err := fill(ctx, servers); err != nil {
			return row, err
		}
		one := time.Since(start)
		start = time.Now()
		var read []catalog.Server
		if err := json.Unmarshal(document, &read); err != nil {
			return row, err
		}
		if i > 0 { // the first one makes the heap grow
			took, alone = append(took, one), append(alone, time.Since(start))
		}
	}
	row.Measured = times(took)
	row.Baseline = &Baseline{"reading the same tools from JSON", times(alone)}
	return row, nil
}
