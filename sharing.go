package conductor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/conductor/conductor/conversation"
)

// What is learned is shared with other replicas, and kept for later, through records of
// the store that are of no conversation.
const (
	kindShapes = "learned-shapes" // one record a server
	kindSearch = "learned-search" // one record
)

var (
	// shareEvery is how often that happens, and shareAfter after how many things
	// learned it happens earlier. Variables for tests.
	shareEvery = 30 * time.Second
	shareAfter = 20
)

const (
	// shareTimeout bounds one exchange with the store, and waitTimeout one for which New
	// or Close waits.
	shareTimeout = 10 * time.Second
	waitTimeout  = 2 * time.Second
)

// sharing exchanges what is learned with the store. No turn waits for it, and none
// fails with it. The methods of a nil *sharing do nothing.
type sharing struct {
	c       *Conductor
	nudge   chan struct{} // holds one
	learned atomic.Int64

	failing bool // belongs to whoever exchanges: New, then run, then Close
}

// startSharing reads what was learned before, and begins to share what is learned from
// now on.
func (c *Conductor) startSharing(ctx context.Context) {
	c.sharing = &sharing{c: c, nudge: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	c.sharing.exchange(ctx)
	c.background.Go(c.sharing.run)
}

// hasLearned counts what is to be shared.
func (s *sharing) hasLearned() {
	if s != nil && s.learned.Add(1)%int64(shareAfter) == 0 {
		s.soon()
	}
}

// soon has an exchange made without waiting for its time.
func (s *sharing) soon() {
	if s == nil {
		return
	}
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

func (s *sharing) run() {
	ticker := time.NewTicker(shareEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.nudge:
		case <-s.c.closing.Done():
			return
		}
		ctx, cancel := context.WithTimeout(s.c.closing, shareTimeout)
		s.exchange(ctx)
		cancel()
	}
}

// finish shares what is left, once run has ended and nothing is learned any more.
func (s *sharing) finish() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	s.exchange(ctx)
}

// exchange brings the store and this process to the same knowledge. That a store fails
// is logged once, until it works again; what is not saved then is kept.
func (s *sharing) exchange(ctx context.Context) {
	failed := s.exchangeSearch(ctx)
	for _, server := range s.c.serverNames() {
		if err := s.c.exchangeShapes(ctx, server); err != nil {
			failed = err
		}
	}
	if failed != nil && !s.failing && !errors.Is(failed, context.Canceled) {
		s.c.opts.Logger.Warn("conductor: what is learned is not shared now", "error", failed)
	}
	s.failing = failed != nil
}

// exchangeSearch shares what the catalog has learned.
func (s *sharing) exchangeSearch(ctx context.Context) error {
	learning := s.c.opts.Catalog.Learning
	if learning == nil {
		return nil
	}
	key := conversation.Key{Kind: kindSearch, ID: "catalog"}
	return learning.Sync(ctx, func(ctx context.Context, change func([]byte) ([]byte, error)) error {
		_, err := conversation.Update(ctx, s.c.states.Store, key, func(r *conversation.Record) (err error) {
			r.Data, err = change(r.Data)
			return err
		})
		return err
	})
}

// errSame says that a record has nothing new.
var errSame = errors.New("nothing new")

// record reads a record and has merge add to it what is new here, if anything is. merge
// gets the stored data, which is empty if there are none, and may be called several
// times. seen is the version that was last read. The error is errSame if it still is
// that and nothing is to be saved.
func (s *sharing) record(ctx context.Context, key conversation.Key, seen *int64, news bool, merge func(stored []byte) ([]byte, error)) error {
	merged := func(data []byte) ([]byte, error) {
		data, err := merge(data)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", key, err)
		}
		return data, nil
	}
	store := s.c.states.Store
	if news {
		r, err := conversation.Update(ctx, store, key, func(r *conversation.Record) (err error) {
			r.Data, err = merged(r.Data)
			return err
		})
		if err == nil {
			*seen = r.Version
		}
		return err
	}
	r, err := store.Load(ctx, key)
	switch {
	case errors.Is(err, conversation.ErrNotFound):
		return errSame
	case err != nil:
		return err
	case r.Version == *seen:
		return errSame
	}
	if _, err = merged(r.Data); err == nil {
		*seen = r.Version
	}
	return err
}
