// Package conversation keeps what conversations remember between their turns, so
// that they survive a restart and move between replicas.
//
// A [Store] keeps versioned records: in memory ([Memory]), in a folder ([Folder]),
// or in Redis (package redisstore, which importers of this package need not have).
// [States] keeps the [State] of conversations in a store. A record that somebody
// else has saved since it was loaded is not overwritten; [Update] and
// [States.Update] apply a change again to what is stored then, so that several
// goroutines, and with a shared store several processes, may work on one
// conversation without losing a change.
//
// What is not of one conversation, such as what the host has learned about tools,
// or the host's own chat history, can live in the same stores as records of another
// kind. A new kind of store proves itself with package storetest.
//
// Stored data is untrusted: decoding it is bounded, and what cannot be right is an
// error that names the record.
//
// The package knows nothing of servers, schemas or programs.
package conversation

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// MaxIDLength is how many bytes an id may have.
const MaxIDLength = 200

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
