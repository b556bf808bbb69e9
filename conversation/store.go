package conversation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"
)

var (
	// ErrNotFound is returned by [Store.Load] for a record that is not stored, or
	// has expired.
	ErrNotFound = errors.New("not found")
	// ErrConflict is returned by [Store.Save] if the stored version is not the one
	// that was loaded: load again and repeat the change, or use [Update].
	ErrConflict = errors.New("was changed by somebody else")
	// ErrInvalidID is returned for an id that is empty, longer than [MaxIDLength]
	// bytes, or has other than printable characters.
	ErrInvalidID = errors.New("invalid id")
	// ErrTooLarge is returned for more than can be kept: a record of more than
	// [MaxData] bytes, or a state beyond one of its bounds.
	ErrTooLarge = errors.New("too large")
	// ErrDamaged is returned for stored data that nobody can have saved so. It
	// stays until it is deleted or repaired.
	ErrDamaged = errors.New("damaged")
	// ErrFormat is returned for data in a format that this version does not know,
	// which a newer version has probably saved.
	ErrFormat = errors.New("unknown format")
)

// MaxData is how many bytes the data of a record may have.
const MaxData = 4 << 20

// A Key names a record.
type Key struct {
	// Kind says what the record is: up to 32 characters a to z, 0 to 9 and -,
	// beginning with a letter. Records of different kinds know nothing of each
	// other. "conversation" is the kind of a [State], and Conductor has some more
	// for what it learns, which begin with "learned-".
	Kind string
	// ID is the record's own name; see [CheckID]. It is only a name: a store must
	// not take it for a path or a pattern.
	ID string
}

var kindPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Check returns an error that wraps [ErrInvalidID] if the key cannot be used.
func (k Key) Check() error {
	if err := CheckKind(k.Kind); err != nil {
		return err
	}
	return CheckID(k.ID)
}

// CheckKind returns an error that wraps [ErrInvalidID] if there can be no such kind.
func CheckKind(kind string) error {
	if !kindPattern.MatchString(kind) {
		return fmt.Errorf("%w: %q is not a kind of records: want a to z, 0 to 9 and -, at most 32", ErrInvalidID, kind)
	}
	return nil
}

// String returns the key for messages.
func (k Key) String() string { return fmt.Sprintf("%s %q", k.Kind, k.ID) }

// A Record is some data with a version.
type Record struct {
	Key Key
	// Version is the store's: greater with each save, and never the same again,
	// also if the record is deleted and made anew. 0 has never been saved.
	Version int64
	// Updated is when it was last saved, to the millisecond.
	Updated time.Time
	// Expires is when the record is forgotten; the zero time is never. Stores keep
	// it to the millisecond.
	Expires time.Time
	// Data is what is kept, at most [MaxData] bytes.
	Data []byte
}

// A Page is a part of a list.
type Page struct {
	// Records are without their data.
	Records []Record
	// Next continues the list; it is empty if this was the last page.
	Next string
}

// MaxPage is how many records a page may have.
const MaxPage = 1000

// A Store keeps records. Implementations are safe for concurrent use, and neither
// keep nor hand out memory that the caller can change. A record that has expired is
// as good as not there. Every error names the record that it is about.
type Store interface {
	// Load returns a record, or an error that wraps [ErrNotFound].
	Load(ctx context.Context, key Key) (*Record, error)
	// Save stores the record if the stored version is still r.Version, 0 meaning
	// that there is none, and then sets r.Version and r.Updated. Otherwise the error
	// wraps [ErrConflict]. What Save has returned without an error is not lost if
	// the process ends, unless the store is one in memory. If it fails in another
	// way, the record may have been saved or not, but nothing in between.
	Save(ctx context.Context, r *Record) error
	// Delete forgets a record. It is no error if there is none.
	Delete(ctx context.Context, key Key) error
	// List returns the records of a kind, page after page, in an order of the
	// store's own. The cursor is empty, or Next of the page before; limit is how many
	// records the page has at most, from 1 to [MaxPage], 0 meaning 100. A record that
	// is there all the time comes exactly once.
	List(ctx context.Context, kind, cursor string, limit int) (*Page, error)
}

// CheckRecord returns an error that names the record if no store can save it. Stores
// call it before they save.
func CheckRecord(r *Record) error {
	if err := r.Key.Check(); err != nil {
		return err
	}
	if len(r.Data) > MaxData {
		return fmt.Errorf("%v: %w: it has %d bytes, at most %d can be kept", r.Key, ErrTooLarge, len(r.Data), MaxData)
	}
	return nil
}

// PageLimit returns what a limit of [Store.List] means.
func PageLimit(limit int) int {
	if limit <= 0 {
		limit = 100
	}
	return min(limit, MaxPage)
}

// NextVersion returns the version that a store gives to a record whose stored
// version is the given one, 0 if there is none. It is the time in microseconds where
// that is greater, so that a record that is deleted and made anew does not have the
// versions of the old one again.
func NextVersion(stored int64) int64 { return max(stored+1, time.Now().UnixMicro()) }

// expired tells whether a record with this time of expiry is gone.
func expired(expires time.Time) bool { return !expires.IsZero() && !time.Now().Before(expires) }

// maxAttempts bounds [Update]: each attempt that fails means that somebody else
// has succeeded.
const maxAttempts = 100

// Update loads the record, which is new if it is not stored, applies the change and
// saves it, repeating that while somebody else is faster. It returns what is stored
// then. The change may run several times, each time on a record that was just
// loaded, and must do nothing but change its argument; it must be right whatever
// others have done in between. If it returns an error, nothing is saved and Update
// returns that error; if it changes nothing, nothing is saved either.
func Update(ctx context.Context, store Store, key Key, change func(*Record) error) (*Record, error) {
	if err := key.Check(); err != nil {
		return nil, err
	}
	for attempt := range maxAttempts {
		r, err := store.Load(ctx, key)
		if errors.Is(err, ErrNotFound) {
			r, err = &Record{Key: key}, nil
		}
		if err != nil {
			return nil, err
		}
		before := *r
		before.Data = slices.Clone(r.Data)
		if err := change(r); err != nil {
			return nil, err
		}
		if r.Version > 0 && bytes.Equal(r.Data, before.Data) && r.Expires.Equal(before.Expires) {
			return r, nil
		}
		err = store.Save(ctx, r)
		if err == nil {
			return r, nil
		}
		if errors.Is(err, ErrConflict) {
			err = backOff(ctx, attempt)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%v: gave up after %d attempts: %w", key, maxAttempts, ErrConflict)
}

// backOff waits before the next attempt, so that those who are in each other's way
// get out of step.
func backOff(ctx context.Context, attempt int) error {
	most := min(time.Millisecond<<min(attempt, 10), 50*time.Millisecond)
	select {
	case <-time.After(rand.N(most)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
