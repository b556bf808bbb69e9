// Package conversation keeps what a conversation remembers between its turns:
// which tools were loaded and which imports its programs made.
//
// A [State] is plain data with a version. A [Store] keeps states; saving one
// fails with [ErrConflict] if somebody else saved it in between, and [Update]
// tries again, so that several goroutines, and with a shared store several
// processes, may work on one conversation without losing a change.
//
// The package knows nothing of servers, schemas or programs.
package conversation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

var (
	// ErrNotFound is returned by [Store.Load] for an id that is not stored.
	ErrNotFound = errors.New("conversation not found")
	// ErrConflict is returned by [Store.Save] if the stored version is not the one
	// that was loaded: load again and repeat the change, or use [Update].
	ErrConflict = errors.New("conversation was changed by somebody else")
	// ErrInvalidID is returned for an id that is empty, longer than [MaxIDLength]
	// bytes, or has other than printable characters.
	ErrInvalidID = errors.New("invalid conversation id")
)

const (
	// MaxIDLength is how many bytes an id may have.
	MaxIDLength = 200
	// maxImports bounds the imports that are remembered; the oldest go first.
	maxImports = 200
)

// NewID returns an id that nobody has.
func NewID() string { return uuid.NewString() }

// CheckID returns an error that wraps [ErrInvalidID] if the id cannot be used.
func CheckID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidID)
	case len(id) > MaxIDLength:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalidID, len(id), MaxIDLength)
	case !utf8.ValidString(id):
		return fmt.Errorf("%w: %q is not UTF-8", ErrInvalidID, id)
	}
	for _, r := range id {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: %q has the character %U", ErrInvalidID, id, r)
		}
	}
	return nil
}

// A State is what one conversation remembers.
type State struct {
	// ID is what the host knows the conversation by.
	ID string `json:"id"`
	// Version counts the saves; 0 has never been saved. It belongs to the [Store].
	Version int64 `json:"version"`
	// Updated is when it was last saved.
	Updated time.Time `json:"updated"`
	// Loaded are the ids ("server.tool") of the tools whose specification the
	// conversation has seen, in the order in which it loaded them.
	Loaded []string `json:"loaded,omitempty"`
	// Imports are the import declarations that its programs made, oldest first,
	// each once.
	Imports []Import `json:"imports,omitempty"`
	// Runs and Calls count programs and the tool calls that they made.
	Runs  int `json:"runs,omitempty"`
	Calls int `json:"calls,omitempty"`
}

// An Import is an import declaration of a program.
type Import struct {
	// Statement is the declaration as it was written.
	Statement string `json:"statement"`
	// Specifier is the module that it names.
	Specifier string `json:"specifier"`
}

// Load adds tools to the loaded ones. Those that are loaded already stay in their
// place.
func (s *State) Load(ids ...string) {
	for _, id := range ids {
		if !slices.Contains(s.Loaded, id) {
			s.Loaded = append(s.Loaded, id)
		}
	}
}

// AddImports remembers imports that are new.
func (s *State) AddImports(imports ...Import) {
	for _, i := range imports {
		if !slices.Contains(s.Imports, i) {
			s.Imports = append(s.Imports, i)
		}
	}
	if n := len(s.Imports) - maxImports; n > 0 {
		s.Imports = slices.Delete(s.Imports, 0, n)
	}
}

func (s *State) clone() *State {
	c := *s
	c.Loaded = slices.Clone(s.Loaded)
	c.Imports = slices.Clone(s.Imports)
	return &c
}

// A Store keeps states. Implementations are safe for concurrent use, and neither
// keep nor hand out memory that the caller can change.
type Store interface {
	// Load returns the state with this id, or an error that wraps [ErrNotFound].
	Load(ctx context.Context, id string) (*State, error)
	// Save stores the state if the stored version is still s.Version, 0 meaning
	// that there is none, and then counts s.Version up and sets s.Updated.
	// Otherwise the error wraps [ErrConflict].
	Save(ctx context.Context, s *State) error
	// Delete forgets the state. It is no error if there is none.
	Delete(ctx context.Context, id string) error
}

// maxAttempts bounds [Update]: each attempt that fails means that somebody else
// has succeeded.
const maxAttempts = 100

// Update loads the state, which is new if it is not stored, applies the change and
// saves it, repeating that while somebody else is faster. It returns what was
// saved. The change may run several times and must do nothing but change its
// argument.
func Update(ctx context.Context, store Store, id string, change func(*State)) (*State, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	for range maxAttempts {
		s, err := store.Load(ctx, id)
		if errors.Is(err, ErrNotFound) {
			s, err = &State{ID: id}, nil
		}
		if err != nil {
			return nil, err
		}
		change(s)
		err = store.Save(ctx, s)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("conversation %q: gave up after %d attempts: %w", id, maxAttempts, ErrConflict)
}
