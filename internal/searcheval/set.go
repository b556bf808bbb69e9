// Package searcheval measures how well tools are found: it reads retrieval sets,
// asks rankers for the tools of each query, and counts what came back.
package searcheval

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/conductor/conductor/catalog"
)

// A Set is a catalog and queries with the tools that answer them.
type Set struct {
	Name    string
	Servers []catalog.Server
	Queries []Query
}

// A Query is one thing that somebody wants.
type Query struct {
	ID   string
	Text string
	// Gold are the ids of the tools that answer it.
	Gold []string
	// Conversation is the same for the turns of one conversation, and History has
	// what came before this turn. Both are empty where the set has no turns.
	Conversation string
	History      []Turn
}

// A Turn is an earlier turn of a conversation.
type Turn struct {
	Text  string
	Tools []string // ids
}

// maxLine bounds one line of a set.
const maxLine = 16 << 20

// ErrNoSets is wrapped by the error of [Load] for a folder without a set in it.
var ErrNoSets = errors.New("no retrieval set: a set is a folder with tools.jsonl and queries.jsonl")

// Load reads a folder that is a set, or that has sets as its sub-folders, which
// come back in order of name. A set has two files of one JSON object a line:
//
//	tools.jsonl    {"id","server","name","description","inputSchema"|"params","serverDescription"?}
//	queries.jsonl  {"id","query","gold":[tool ids],"conv"?,"history":[{"user","tools":[tool ids]}]?}
//
// Sub-folders without queries are passed over.
func Load(dir string) ([]*Set, error) {
	if exists(filepath.Join(dir, "tools.jsonl")) {
		set, err := LoadSet(dir)
		if err != nil {
			return nil, err
		}
		return []*Set{set}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var sets []*Set
	for _, e := range entries { // sorted by name
		sub := filepath.Join(dir, e.Name())
		if !exists(filepath.Join(sub, "tools.jsonl")) || !exists(filepath.Join(sub, "queries.jsonl")) {
			continue
		}
		set, err := LoadSet(sub)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoSets)
	}
	return sets, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// LoadSet reads one set. Without queries.jsonl it has no queries.
func LoadSet(dir string) (*Set, error) {
	set := &Set{Name: filepath.Base(dir)}
	ids, err := set.readTools(filepath.Join(dir, "tools.jsonl"))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "queries.jsonl")
	err = eachLine(path, func(l queryLine) error {
		q := Query{ID: l.ID, Text: l.Query, Conversation: l.Conv}
		for _, g := range l.Gold {
			id, ok := ids[g]
			if !ok {
				return fmt.Errorf("query %s: there is no tool %q", l.ID, g)
			}
			if !slices.Contains(q.Gold, id) {
				q.Gold = append(q.Gold, id)
			}
		}
		if len(q.Gold) == 0 {
			return fmt.Errorf("query %s has no gold", l.ID)
		}
		for _, h := range l.History {
			turn := Turn{Text: h.User}
			for _, t := range h.Tools {
				if id, ok := ids[t]; ok {
					turn.Tools = append(turn.Tools, id)
				}
			}
			q.History = append(q.History, turn)
		}
		set.Queries = append(set.Queries, q)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return set, nil
}

type toolLine struct {
	ID, Server, Name, Title, Description, ServerDescription string
	InputSchema                                             json.RawMessage
	Params                                                  map[string]any // name → description
}

type queryLine struct {
	ID, Query, Conv string
	Gold            []string
	History         []struct {
		User  string
		Tools []string
	}
}

// readTools fills the servers and returns the map from the file's ids to the
// catalog's.
func (s *Set) readTools(path string) (map[string]string, error) {
	at := make(map[string]int)
	ids := make(map[string]string)
	err := eachLine(path, func(l toolLine) error {
		if l.Server == "" {
			l.Server = "tools"
		}
		i, ok := at[l.Server]
		if !ok {
			i = len(s.Servers)
			at[l.Server] = i
			s.Servers = append(s.Servers, catalog.Server{Name: l.Server, Description: l.ServerDescription})
		}
		if l.Params != nil {
			props := make(map[string]any)
			for name, description := range l.Params {
				props[name] = map[string]any{"type": "string", "description": description}
			}
			l.InputSchema, _ = json.Marshal(map[string]any{"type": "object", "properties": props})
		}
		t := catalog.Tool{Server: l.Server, Name: l.Name, Title: l.Title, Description: l.Description, InputSchema: l.InputSchema}
		s.Servers[i].Tools = append(s.Servers[i].Tools, t)
		ids[l.ID] = t.ID()
		return nil
	})
	return ids, err
}

// eachLine decodes the lines of a file.
func eachLine[T any](path string, do func(T) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, maxLine)
	for n := 1; in.Scan(); n++ {
		if len(in.Bytes()) == 0 {
			continue
		}
		var v T
		err := json.Unmarshal(in.Bytes(), &v)
		if err == nil {
			err = do(v)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
