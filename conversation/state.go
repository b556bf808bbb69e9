package conversation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bounds of a [State]. A state beyond them is neither saved nor loaded.
const (
	maxLoaded    = 10_000
	maxToolID    = 500
	maxHash      = 64
	maxSignature = 400
	// maxBindings bounds the bindings; the oldest go first.
	maxBindings  = 200
	maxName      = 100
	maxSpecifier = 500
)

// A State is what one conversation remembers.
//
// # Merging
//
// Several replicas may change a conversation at the same time. A change is a
// function that is applied to the state as it is stored, and once more to the newer
// one if somebody else was faster ([States.Update]). So every field is one for which
// that is right, whatever the order:
//
//   - A set with keys (Loaded, Bindings) only grows; the last one with a key counts,
//     and keeps the place of the first.
//   - A counter (Counters) is added to, and never set.
//   - A time is set to the later one.
//   - What can be neither has a record of its own.
//
// A change never assigns what was computed from a state that was loaded before. A
// new field follows one of these rules, is left out of the JSON when it is zero, and has
// a bound. Replicas of an older version keep fields that they do not know.
type State struct {
	// ID is what the host knows the conversation by.
	ID string `json:"-"`
	// Version is that of the [Record]; 0 has never been saved.
	Version int64 `json:"-"`
	// Updated is when it was last saved.
	Updated time.Time `json:"-"`
	// Created is when it was first saved.
	Created time.Time `json:"created,omitzero"`
	// Loaded are the tools whose specification the conversation has seen, in the
	// order in which it loaded them, each once.
	Loaded []LoadedTool `json:"loaded,omitempty"`
	// Bindings are the names that imports of its programs have bound, the one that
	// was bound longest ago first, each once. A later program may use them without
	// importing them again.
	Bindings []Binding `json:"bindings,omitempty"`
	// Counters say how much the conversation was used.
	Counters Counters `json:"counters,omitzero"`

	unknown unknownFields
}

// A LoadedTool is a tool as a conversation has seen it.
type LoadedTool struct {
	// ID is "server.tool".
	ID string `json:"id"`
	// Hash is that of the tool's schemas when it was loaded; what was observed of
	// its results is kept elsewhere, under the id and this hash.
	Hash string `json:"hash,omitempty"`
	// Signature is the line of TypeScript by which it was loaded.
	Signature string `json:"signature,omitempty"`
}

// A Binding is a name that an import declaration has given to something of a module.
type Binding struct {
	// Name is the identifier in the program.
	Name string `json:"name"`
	// Specifier is the module.
	Specifier string `json:"specifier"`
	// Export is what of the module: the name of an export, which may be "default", or
	// "*" for the module's namespace.
	Export string `json:"export"`
	// Type tells that it was imported as a type only.
	Type bool `json:"type,omitempty"`
}

// Counters count what a conversation has done. They only grow, and stop at the
// greatest number there is.
type Counters struct {
	// Runs and Calls count programs that were run and the tool calls that they made.
	Runs  int64 `json:"runs,omitempty"`
	Calls int64 `json:"calls,omitempty"`
	// RunTime is how long the programs ran.
	RunTime time.Duration `json:"run_time_ns,omitempty"`
	// Searches and Loads count how often tools were searched and loaded, CallingRuns the
	// programs that made a call.
	Searches    int64 `json:"searches,omitempty"`
	Loads       int64 `json:"loads,omitempty"`
	CallingRuns int64 `json:"calling_runs,omitempty"`
	// PromptTokens and TextTokens are what the model was given before it searched, loaded
	// or ran something, and what it wrote and read of that. SchemaTokens and CallTokens
	// are what it would have been given of all tools, and of the calls, without programs.
	PromptTokens int64 `json:"prompt_tokens,omitempty"`
	TextTokens   int64 `json:"text_tokens,omitempty"`
	SchemaTokens int64 `json:"schema_tokens,omitempty"`
	CallTokens   int64 `json:"call_tokens,omitempty"`
}

// each pairs the counters with those of another one.
func (c *Counters) each(other *Counters, do func(mine, others *int64)) {
	for _, pair := range [][2]*int64{
		{&c.Runs, &other.Runs}, {&c.Calls, &other.Calls}, {(*int64)(&c.RunTime), (*int64)(&other.RunTime)},
		{&c.Searches, &other.Searches}, {&c.Loads, &other.Loads}, {&c.CallingRuns, &other.CallingRuns},
		{&c.PromptTokens, &other.PromptTokens}, {&c.TextTokens, &other.TextTokens},
		{&c.SchemaTokens, &other.SchemaTokens}, {&c.CallTokens, &other.CallTokens},
	} {
		do(pair[0], pair[1])
	}
}

// Add adds to each counter. What is negative counts as nothing.
func (c *Counters) Add(more Counters) {
	c.each(&more, func(mine, others *int64) {
		n, add := max(*mine, 0), max(*others, 0)
		if *mine = n + add; n > math.MaxInt64-add {
			*mine = math.MaxInt64
		}
	})
}

// negative tells whether there is one that cannot be.
func (c Counters) negative() bool {
	found := false
	c.each(&Counters{}, func(mine, _ *int64) { found = found || *mine < 0 })
	return found
}

// Load adds tools to the loaded ones. Those that are loaded already stay in their
// place, and get the new hash and signature if the hash is another one. The error
// wraps [ErrTooLarge].
func (s *State) Load(tools ...LoadedTool) error {
	places := make(map[string]int, len(s.Loaded))
	for i, t := range s.Loaded {
		places[t.ID] = i
	}
	for _, t := range tools {
		if i, ok := places[t.ID]; ok {
			if s.Loaded[i].Hash != t.Hash {
				s.Loaded[i] = t
			}
			continue
		}
		places[t.ID] = len(s.Loaded)
		s.Loaded = append(s.Loaded, t)
	}
	return s.check()
}

// HasLoaded tells whether the tool "server.tool" is loaded.
func (s *State) HasLoaded(id string) bool {
	return slices.ContainsFunc(s.Loaded, func(t LoadedTool) bool { return t.ID == id })
}

// LoadedIDs returns the names of the loaded tools, in the order in which they were
// loaded.
func (s *State) LoadedIDs() []string {
	ids := make([]string, 0, len(s.Loaded))
	for _, t := range s.Loaded {
		ids = append(ids, t.ID)
	}
	return ids
}

// Bind remembers bindings. A name that is bound already gets its new meaning, but what
// was imported as a value does not become a mere type. Those that no program can have
// written are left out, and so are the oldest if there are too many.
func (s *State) Bind(bindings ...Binding) {
	for _, b := range bindings {
		if b.check() != nil {
			continue
		}
		if i := slices.IndexFunc(s.Bindings, func(old Binding) bool { return old.Name == b.Name }); i >= 0 {
			old := s.Bindings[i]
			b.Type = b.Type && (old.Type || old.Specifier != b.Specifier || old.Export != b.Export)
			s.Bindings = slices.Delete(s.Bindings, i, i+1)
		}
		s.Bindings = append(s.Bindings, b)
	}
	if n := len(s.Bindings) - maxBindings; n > 0 {
		s.Bindings = slices.Delete(s.Bindings, 0, n)
	}
}

// check returns an error that wraps [ErrTooLarge] or [ErrDamaged] if the state is
// beyond its bounds or has what cannot be. A new field gets its bound here; what changes
// the meaning of one raises stateFormat.
func (s *State) check() error {
	if len(s.Loaded) > maxLoaded {
		return fmt.Errorf("%w: a conversation can load %d tools, not %d", ErrTooLarge, maxLoaded, len(s.Loaded))
	}
	seen := make(map[string]bool, len(s.Loaded))
	for _, t := range s.Loaded {
		switch {
		case !strings.Contains(t.ID, ".") || seen[t.ID]:
			return fmt.Errorf("%w: the loaded tool %.50q is not a name, or is there twice", ErrDamaged, t.ID)
		case len(t.ID) > maxToolID || len(t.Hash) > maxHash || len(t.Signature) > maxSignature:
			return fmt.Errorf("%w: the loaded tool %.50q has a name, hash or signature that is too long", ErrTooLarge, t.ID)
		}
		seen[t.ID] = true
	}
	if len(s.Bindings) > maxBindings {
		return fmt.Errorf("%w: a conversation remembers %d imports, not %d", ErrTooLarge, maxBindings, len(s.Bindings))
	}
	names := make(map[string]bool, len(s.Bindings))
	for _, b := range s.Bindings {
		if err := b.check(); err != nil {
			return err
		}
		if names[b.Name] {
			return fmt.Errorf("%w: the name %s is bound twice", ErrDamaged, b.Name)
		}
		names[b.Name] = true
	}
	if s.Counters.negative() {
		return fmt.Errorf("%w: a counter is negative", ErrDamaged)
	}
	return nil
}

var (
	identifier = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$]*$`)
	unprinted  = regexp.MustCompile(`[\p{C}\x{2028}\x{2029}]`)
)

func (b *Binding) check() error {
	switch {
	case len(b.Name) > maxName || len(b.Export) > maxName || len(b.Specifier) > maxSpecifier:
		return fmt.Errorf("%w: the import of %.50q has a name or a module that is too long", ErrTooLarge, b.Name)
	case !identifier.MatchString(b.Name):
		return fmt.Errorf("%w: %.50q is not a name that an import can bind", ErrDamaged, b.Name)
	case b.Specifier == "" || b.Export == "" || unprinted.MatchString(b.Specifier+b.Export):
		return fmt.Errorf("%w: the import of %s names no module, or nothing of it", ErrDamaged, b.Name)
	}
	return nil
}

// KindState is the kind of the records in which [States] keeps conversations.
const KindState = "conversation"

// DefaultKeep is how long [States] keeps a conversation after its last change.
const DefaultKeep = 30 * 24 * time.Hour

// States keeps the states of conversations in a store. It is safe for concurrent
// use.
type States struct {
	Store Store
	// Keep is how long a conversation is kept after its last change. Zero means
	// [DefaultKeep], less means for ever.
	Keep time.Duration
}

// Key is that of the record which holds a conversation.
func (*States) Key(id string) Key { return Key{Kind: KindState, ID: id} }

// Load returns the state of a conversation, or an error that wraps [ErrNotFound].
func (s *States) Load(ctx context.Context, id string) (*State, error) {
	r, err := s.Store.Load(ctx, s.Key(id))
	if err != nil {
		return nil, err
	}
	return decodeRecord(r)
}

// Update loads the state, which is new if it is not stored, applies the change and
// saves it, repeating that while somebody else is faster. It returns what was saved.
// The change may run several times; see [State] for what it may do. If it returns an
// error, nothing is saved and Update returns that error.
func (s *States) Update(ctx context.Context, id string, change func(*State) error) (*State, error) {
	var state *State
	r, err := Update(ctx, s.Store, s.Key(id), func(r *Record) error {
		state = &State{ID: id, Created: time.Now().UTC().Truncate(time.Millisecond)}
		if r.Version > 0 {
			stored, err := decodeRecord(r)
			if err != nil {
				return err
			}
			state = stored
		}
		if err := change(state); err != nil {
			return err
		}
		data, err := state.Encode()
		if err != nil {
			return fmt.Errorf("%v: %w", r.Key, err)
		}
		r.Data, r.Expires = data, s.expires()
		return nil
	})
	if err != nil {
		return nil, err
	}
	state.Version, state.Updated = r.Version, r.Updated
	return state, nil
}

func (s *States) expires() time.Time {
	switch {
	case s.Keep < 0:
		return time.Time{}
	case s.Keep == 0:
		return time.Now().Add(DefaultKeep)
	}
	return time.Now().Add(s.Keep)
}

// Delete forgets a conversation. It is no error if there is none.
func (s *States) Delete(ctx context.Context, id string) error {
	return s.Store.Delete(ctx, s.Key(id))
}

func decodeRecord(r *Record) (*State, error) {
	s, err := DecodeState(r.Data)
	if err != nil {
		hint := ""
		if errors.Is(err, ErrDamaged) {
			hint = "; delete it to begin anew"
		}
		return nil, fmt.Errorf("%v: %w%s", r.Key, err, hint)
	}
	s.ID, s.Version, s.Updated = r.Key.ID, r.Version, r.Updated
	return s, nil
}
