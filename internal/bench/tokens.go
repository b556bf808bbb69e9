package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/mcpclient"
)

// mostTools is the most that a row has, and loadedTools how many are loaded between the
// first and the later messages.
const (
	mostTools   = 200
	loadedTools = 3
)

// corpusFile has one tool in each line, with its server, beside each other.
const corpusFile = "schemas/toucan-smithery.jsonl"

// prompts measures what a conversation among n tools adds to a request: the functions'
// definitions and the prompt in the first message; in later ones, after three tools
// were loaded, what is new behind the beginning that is the same and that providers
// have cached.
func prompts(n int, later bool) func(context.Context, *Env) (Row, error) {
	return func(ctx context.Context, env *Env) (row Row, err error) {
		pool, source, err := env.corpus()
		if err != nil {
			return row, err
		}
		definitions, err := json.Marshal(conductor.Definitions())
		if err != nil {
			return row, err
		}
		base := conductor.EstimateTokens(string(definitions))
		random := rand.New(rand.NewPCG(uint64(n), 3)) // the same servers each time
		var spent, direct, whole, learned []float64
		for range env.Sizes.Prompts {
			servers := pick(random, pool, n)
			first, second, answers, err := env.twoPrompts(ctx, random, servers)
			if err != nil {
				return row, err
			}
			fresh, same := strings.CutPrefix(second, first)
			if !same {
				return row, errors.New("loading tools has changed the beginning of the prompt")
			}
			added := base + conductor.EstimateTokens(first)
			learned = append(learned, float64(conductor.EstimateTokens(answers)))
			whole = append(whole, float64(base+conductor.EstimateTokens(second)))
			if later {
				added = conductor.EstimateTokens(fresh)
			}
			spent = append(spent, float64(added))
			direct = append(direct, float64(schemaTokens(servers)))
		}
		row.Measured = numbers(spent)
		row.Baseline = &Baseline{"all definitions, as without Conductor, in every message", numbers(direct)}
		row.Notes = []string{"estimated, see conductor.EstimateTokens; tools are " + source}
		if later {
			row.Notes = append(row.Notes, fmt.Sprintf("not in it: the answers to the search and the loading, %.0f tokens (p50), once", numbers(learned).P50),
				fmt.Sprintf("after %d tools were loaded; without a prompt cache all %.0f tokens (p50) are sent again", loadedTools, numbers(whole).P50))
		}
		return row, nil
	}
}

// corpus returns servers to choose from, and says what they are.
func (e *Env) corpus() (servers []catalog.Server, source string, err error) {
	switch {
	case len(e.Tools) > 0:
		return e.servers(max(e.Sizes.Tools, mostTools)), "the caller's, repeated", nil
	case e.Corpora == "":
		return e.servers(max(e.Sizes.Tools, mostTools)), "made up, 20 to a server", nil
	}
	file, err := os.Open(filepath.Join(e.Corpora, filepath.FromSlash(corpusFile)))
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	paths := map[string]bool{}
	for lines.Scan() {
		var t mcpclient.Tool
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return nil, "", fmt.Errorf("%s: %w", file.Name(), err)
		}
		if last := len(servers) - 1; last >= 0 && servers[last].Name == t.Server {
			servers[last].Tools = append(servers[last].Tools, t)
		} else if path := codegen.ModulePath(t.Server); !paths[path] {
			paths[path] = true
			servers = append(servers, catalog.Server{Name: t.Server, Tools: []mcpclient.Tool{t}})
		}
	}
	return servers, fmt.Sprintf("those of %d real servers", len(servers)), lines.Err()
}

// pick returns servers with n tools together, the last of them cut.
func pick(random *rand.Rand, pool []catalog.Server, n int) []catalog.Server {
	var picked []catalog.Server
	for _, i := range random.Perm(len(pool)) {
		s := pool[i]
		s.Tools = s.Tools[:min(len(s.Tools), n)]
		picked = append(picked, s)
		if n -= len(s.Tools); n == 0 {
			break
		}
	}
	return picked
}

// twoPrompts returns the prompt of a new conversation, and the one after it has searched
// and loaded some tools, with what the model was told then.
func (e *Env) twoPrompts(ctx context.Context, random *rand.Rand, servers []catalog.Server) (first, second, answers string, err error) {
	var offered []mcpclient.Server
	for _, s := range servers {
		server, stop := inProcess(s.Name, s.Tools)
		defer stop()
		offered = append(offered, server)
	}
	c, err := e.conductor(ctx, nil, true, offered...)
	if err != nil {
		return "", "", "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		return "", "", "", err
	}
	first = conv.Prompt()
	tools := c.Tools()
	var names, needs []string
	for _, i := range random.Perm(len(tools))[:min(loadedTools, len(tools))] {
		names, needs = append(names, tools[i].ID()), append(needs, tools[i].Description)
	}
	found, err := conv.FindTools(ctx, "", &conductor.FindOptions{Queries: needs})
	if err != nil {
		return "", "", "", err
	}
	loaded, err := conv.LoadToolSpec(ctx, names...)
	if err != nil {
		return "", "", "", err
	}
	return first, conv.Prompt(), found.Text() + loaded.Text(), nil
}

// schemaTokens is what the tools take when each is given to the model by itself.
func schemaTokens(servers []catalog.Server) int {
	sum := 0
	for _, t := range slices.Concat(toolsOf(servers)...) {
		definition, err := json.Marshal(conductor.Definition{Name: t.Name, Description: t.Description, InputSchema: compact(t.InputSchema)})
		if err == nil {
			sum += conductor.EstimateTokens(string(definition))
		}
	}
	return sum
}

func toolsOf(servers []catalog.Server) [][]mcpclient.Tool {
	var tools [][]mcpclient.Tool
	for _, s := range servers {
		tools = append(tools, s.Tools)
	}
	return tools
}

// compact returns a schema without white space, or none if it is not JSON.
func compact(schema json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, schema) != nil {
		return json.RawMessage("{}")
	}
	return b.Bytes()
}
