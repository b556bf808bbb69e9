package conductor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
)

// A Conversation is a handle on what one conversation remembers. Several handles
// on one id, also in other processes that share the store, see each other's
// changes. It needs no closing and is safe for concurrent use.
type Conversation struct {
	c        *Conductor
	id       string
	user     string    // for the audit
	policies []*Policy // all of which bind it
	narrowed bool      // by other ones than the Conductor's

	mu    sync.Mutex
	state conversation.State // as this handle last saw it
}

// Conversation returns a handle on the conversation with this id. One that is not
// stored, or has been forgotten, begins empty; the empty id begins a new one with
// an id of its own.
func (c *Conductor) Conversation(ctx context.Context, id string) (*Conversation, error) {
	if err := c.open(); err != nil {
		return nil, err
	}
	v := &Conversation{c: c, id: id}
	if p := &c.opts.Policy; len(p.Allow)+len(p.Deny) > 0 || p.Approve != nil {
		v.policies = []*Policy{p}
	}
	if id == "" {
		v.id = conversation.NewID()
	}
	if err := conversation.CheckID(v.id); err != nil {
		return nil, err
	}
	if _, err := v.refresh(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// ID identifies the conversation to [Conductor.Conversation].
func (v *Conversation) ID() string { return v.id }

// Loaded returns the names of the loaded tools, in the order in which they were
// loaded, as this handle last saw them.
func (v *Conversation) Loaded() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state.LoadedIDs()
}

// refresh reads the state from the store.
func (v *Conversation) refresh(ctx context.Context) (*conversation.State, error) {
	v.mu.Lock()
	before := v.state.Version
	v.mu.Unlock()
	state, err := v.c.states.Load(ctx, v.id)
	if errors.Is(err, conversation.ErrNotFound) {
		state, err = &conversation.State{ID: v.id}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("conductor: %w", err)
	}
	v.see(state, before)
	return state, nil
}

// update changes the state in the store; see [conversation.State] for what a change
// may do.
func (v *Conversation) update(ctx context.Context, change func(*conversation.State) error) error {
	state, err := v.c.states.Update(ctx, v.id, change)
	if err != nil {
		return fmt.Errorf("conductor: %w", err)
	}
	v.see(state, state.Version)
	return nil
}

// see keeps what is newest: another goroutine may have been faster. A conversation
// that was forgotten has no version; it is empty unless it was begun anew since the
// handle had the version before.
func (v *Conversation) see(state *conversation.State, before int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if state.Version >= v.state.Version || state.Version == 0 && v.state.Version == before {
		v.state = *state
	}
}

// FindOptions refine [Conversation.FindTools]. The zero value means no refinement.
type FindOptions struct {
	// Queries are further phrasings of the query; a tool's best match counts.
	Queries []string
	// Server keeps to the tools of one server.
	Server string
	// ServerHint says in words what kind of server is meant, such as "a calendar";
	// servers that fit are preferred. It has no effect beside Server.
	ServerHint string
	// Limit is how many tools are returned at most. Zero means 8, the most is 100.
	Limit int
	// MinScore leaves out what scores less, in [0, 1].
	MinScore float64
	// Recent are what the user said lately, latest last. It shifts the order a little,
	// and finds nothing by itself.
	Recent []string
}

// A FoundTool is one answer of [Conversation.FindTools].
type FoundTool struct {
	// Name is "server.tool".
	Name   string `json:"name"`
	Server string `json:"server"`
	// Description is the beginning of the tool's own.
	Description string `json:"description"`
	// Signature is one line of TypeScript.
	Signature string `json:"signature"`
	// Score is in [0, 1].
	Score float64 `json:"score"`
	// Why is what made the tool a hit, in a few words: "its name", "the words create,
	// issue", "its meaning".
	Why string `json:"why"`
	// Loaded tells whether the conversation has loaded the tool.
	Loaded bool `json:"loaded"`
}

// A FindResult is what [Conversation.FindTools] found.
type FindResult struct {
	ConversationID string      `json:"conversation_id"`
	Tools          []FoundTool `json:"tools"` // best first
	// Unavailable are servers that cannot be used now, whose tools are not found.
	Unavailable []UnavailableServer `json:"unavailable_servers"`
	// Lexical tells that words alone decided, because the catalog was made so, or else
	// for the reason in LexicalReason.
	Lexical       bool   `json:"lexical,omitempty"`
	LexicalReason string `json:"lexical_reason,omitempty"`
}

// maxFoundDescription is how many bytes of a description a search hit shows: the
// whole one comes with the specification.
const maxFoundDescription = 200

// FindTools searches the tools of all servers for what an agent or a user says in
// their own words, or for a name. Options may be nil. Finding nothing is no error, a
// server that is not configured is: it wraps [mcpclient.ErrUnknownServer].
func (v *Conversation) FindTools(ctx context.Context, query string, options *FindOptions) (*FindResult, error) {
	if err := v.c.open(); err != nil {
		return nil, err
	}
	var opts FindOptions
	if options != nil {
		opts = *options
	}
	var texts []string
	for _, q := range append([]string{query}, opts.Queries...) {
		if strings.TrimSpace(q) != "" {
			texts = append(texts, q)
		}
	}
	result := &FindResult{ConversationID: v.id, Tools: []FoundTool{}, Unavailable: v.unavailable()}
	if opts.Server != "" && (v.c.module(opts.Server) == nil || v.hides(opts.Server)) {
		if v.hides(opts.Server) || !v.c.configured(opts.Server) {
			return nil, fmt.Errorf("conductor: %w: %s", mcpclient.ErrUnknownServer, v.explainServer(opts.Server))
		}
		return result, nil // it is down, and named in result.Unavailable
	}
	if len(texts) == 0 {
		return result, nil
	}
	search := catalog.Query{Texts: texts, Server: cmp.Or(opts.Server, opts.ServerHint), Limit: opts.Limit, MinScore: opts.MinScore,
		Context: &catalog.Context{Recent: opts.Recent, Used: v.c.found.used(v.id)}}
	if len(v.policies) > 0 {
		search.Allow = func(id string) bool { return v.permits(id) }
	}
	found, err := v.c.catalog.Search(ctx, search)
	if err != nil {
		return nil, fmt.Errorf("conductor: %w", err)
	}
	if result.Lexical = found.Lexical; found.Err != nil {
		result.LexicalReason = oneLine(found.Err.Error(), maxFoundDescription)
	}
	loaded := v.Loaded()
	ids := make([]string, 0, len(found.Hits))
	for _, hit := range found.Hits {
		id := hit.Tool.ID()
		ids = append(ids, id)
		result.Tools = append(result.Tools, FoundTool{
			Name:        id,
			Server:      hit.Tool.Server,
			Description: oneLine(hit.Tool.Description, maxFoundDescription),
			Signature:   v.c.generator(hit.Tool.Server).Signature(hit.Tool.Name),
			Score:       hit.Score,
			Why:         whyFound(hit.Why),
			Loaded:      slices.Contains(loaded, id),
		})
	}
	v.c.found.hasFound(v.id, texts, ids)
	v.c.pending.add(v.id, conversation.Counters{
		Searches: 1, PromptTokens: v.promptTokens(), TextTokens: int64(EstimateTokens(strings.Join(texts, "\n")) + EstimateTokens(result.Text())),
	})
	return result, nil
}

// whyFound says in a few words what made a tool a hit.
func whyFound(w catalog.Why) string {
	switch {
	case w.Named:
		return "its name"
	case len(w.Words) > 0:
		return "the words " + strings.Join(w.Words, ", ")
	case len(w.Learned) > 0:
		return "earlier use for the words " + strings.Join(w.Learned, ", ")
	}
	return "its meaning"
}

// A ToolSpec is the specification of a tool.
type ToolSpec struct {
	// Name is "server.tool".
	Name string `json:"name"`
	// Import is the line by which a program gets at it.
	Import string `json:"import"`
	// TypeScript declares the function, with its types and documentation.
	TypeScript string `json:"typescript"`
	// Loaded is always true: asking for the specification loads the tool.
	Loaded bool `json:"loaded"`
}

// An UnknownTool is a name that [Conversation.LoadToolSpec] does not know.
type UnknownTool struct {
	Name string `json:"name"`
	// Suggestions are the nearest names that exist, best first.
	Suggestions []string `json:"suggestions"`
	// Reason is set if the tool's server cannot be used now, if the name is a server's,
	// or if a [Policy] does not permit it, whether there is such a tool or not.
	Reason string `json:"reason,omitempty"`
}

// A LoadResult is what [Conversation.LoadToolSpec] loaded.
type LoadResult struct {
	ConversationID string     `json:"conversation_id"`
	Specs          []ToolSpec `json:"specs"` // in the order of the names
	// Also are names of what the servers of these tools offer beside them, resources
	// and prompts, which can be loaded too.
	Also    []string      `json:"also,omitempty"`
	Unknown []UnknownTool `json:"unknown"`
}

// LoadToolSpec returns the TypeScript of the named tools ("server.tool") and loads
// them: from now on the conversation's programs can import them. A name that does
// not exist is no error; it comes back with suggestions.
func (v *Conversation) LoadToolSpec(ctx context.Context, names ...string) (*LoadResult, error) {
	if err := v.c.open(); err != nil {
		return nil, err
	}
	result := &LoadResult{ConversationID: v.id, Specs: []ToolSpec{}, Unknown: []UnknownTool{}}
	if err := v.c.wake(ctx, names); err != nil {
		return nil, err
	}
	var loaded []conversation.LoadedTool
	for _, name := range names {
		t, ok := v.resolve(name)
		if !ok {
			result.Unknown = append(result.Unknown, v.unknownTool(name))
			continue
		}
		id := t.ID()
		if slices.ContainsFunc(loaded, func(l conversation.LoadedTool) bool { return l.ID == id }) {
			continue
		}
		server := v.c.generator(t.Server)
		loaded = append(loaded, conversation.LoadedTool{ID: id, Hash: server.SchemaHash(t.Name), Signature: cut(server.Signature(t.Name), maxSignature)})
		result.Specs = append(result.Specs, ToolSpec{Name: id, Import: server.ImportLine(), TypeScript: server.Declaration(t.Name), Loaded: true})
	}
	spent := conversation.Counters{
		Loads: 1, PromptTokens: v.promptTokens(), TextTokens: int64(EstimateTokens(strings.Join(names, "\n")) + EstimateTokens(result.Text())),
	}
	if len(loaded) == 0 {
		v.c.pending.add(v.id, spent)
		return result, nil
	}
	if err := v.count(ctx, spent, func(s *conversation.State) error { return s.Load(loaded...) }); err != nil {
		return nil, err
	}
	result.Also = v.notLoaded(loaded)
	return result, nil
}

// notLoaded returns the features of the servers of what was loaded that may be loaded
// and are not yet.
func (v *Conversation) notLoaded(loaded []conversation.LoadedTool) []string {
	has := v.Loaded()
	var names []string
	for _, server := range v.servers() {
		if !slices.ContainsFunc(loaded, func(l conversation.LoadedTool) bool { return strings.HasPrefix(l.ID, server.Name()+".") }) {
			continue
		}
		for _, id := range v.features(server) {
			if !slices.Contains(has, id) {
				names = append(names, id)
			}
		}
	}
	return names
}

// resolve finds a permitted tool, or feature, by "server.tool", where tool may also be the name of
// its function, which is what a model has seen in a program.
func (v *Conversation) resolve(name string) (catalog.Tool, bool) {
	name = strings.TrimSpace(name)
	t, ok := v.c.catalog.Tool(name)
	if !ok {
		t, ok = v.c.feature(name)
	}
	for _, server := range v.c.loadable() {
		if function, found := strings.CutPrefix(name, server.Name()+"."); found && !ok {
			if wire, found := server.WireName(function); found {
				t, ok = v.c.catalog.Tool(server.Name() + "." + wire)
			}
		}
	}
	return t, ok && v.permits(t.ID())
}

const maxSuggestions = 5

// forbidden is the reason that a model is given.
const forbidden = "it may not be used in this conversation"

func (v *Conversation) unknownTool(name string) UnknownTool {
	u := UnknownTool{Name: name, Suggestions: v.nearest(name)}
	if !v.permits(strings.TrimSpace(name)) {
		u.Reason = forbidden
		return u
	}
	server := strings.TrimSuffix(strings.TrimSpace(name), ".*")
	if v.c.module(server) != nil && !v.hides(server) {
		u.Reason = fmt.Sprintf("%s is a server, whose tools FindTools (the tool find_tools) finds", server)
		return u
	}
	for _, down := range v.unavailable() {
		if strings.HasPrefix(name, down.Name+".") {
			u.Reason = fmt.Sprintf("server %s is not available: %s", down.Name, down.Reason)
		}
	}
	return u
}

// nearest returns permitted tools with similar names, best first.
func (v *Conversation) nearest(name string) []string {
	limit := maxSuggestions
	if len(v.policies) > 0 {
		limit = v.c.catalog.Len() // those that are not permitted must not take the place of others
	}
	near := slices.DeleteFunc(v.c.catalog.Nearest(name, limit), func(id string) bool { return !v.permits(id) })
	return append([]string{}, near[:min(len(near), maxSuggestions)]...)
}

// loadedOf returns the loaded tools of one server that are still permitted, by the
// name on the wire.
func (v *Conversation) loadedOf(state *conversation.State, server *codegen.Server) []string {
	var tools []string
	for _, loaded := range state.Loaded {
		if tool, ok := loadedTool(server, loaded); ok && v.permits(loaded.ID) {
			tools = append(tools, tool)
		}
	}
	return tools
}

// loadedTool returns the name on the wire of what was loaded of a server, if the server
// still has it: a tool is not what was loaded as a feature by the same name.
func loadedTool(server *codegen.Server, loaded conversation.LoadedTool) (string, bool) {
	tool, ok := strings.CutPrefix(loaded.ID, server.Name()+".")
	return tool, ok && server.Has(tool) && (loaded.Hash == codegen.FeatureHash) == (server.FeatureKind(tool) != "")
}
