package conductor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/conductor/conductor/conversation"
)

// What is learned is shared with other replicas, and kept for later, through records of
// the store that are of no conversation.
const (
	kindShapes = "learned-shapes" // one record a server
)

var (
	// learnEvery is how often that happens, and learnAfter after how many things
	// learned it happens earlier. Variables for tests.
	learnEvery = 30 * time.Second
	learnAfter = 20
)

const (
	// learnTimeout bounds one exchange with the store, and startTimeout what New waits
	// for it.
	learnTimeout = 10 * time.Second
	startTimeout = 2 * time.Second // and Close
)

// learning exchanges what is learned with the store. No turn waits for it, and none
// fails with it.
type learning struct {
	c     *Conductor
	nudge chan struct{} // holds one

	// versions are those of the records that were last read; run's own.
	versions map[conversation.Key]int64
	failing  bool
}

// startLearning reads what was learned before, waiting no longer than startTimeout, and
// begins to share what is learned from now on.
func (c *Conductor) startLearning(ctx context.Context) {
	l := &learning{c: c, nudge: make(chan struct{}, 1), versions: map[conversation.Key]int64{}}
	c.learning = l
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	l.exchange(ctx)
	c.background.Go(l.run)
}

// learned tells that there is something to share, or somebody to share it with.
func (l *learning) learned() {
	if l == nil {
		return
	}
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

func (l *learning) run() {
	ticker := time.NewTicker(learnEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.nudge:
		case <-l.c.closing.Done():
			return
		}
		ctx, cancel := context.WithTimeout(l.c.closing, learnTimeout)
		l.exchange(ctx)
		cancel()
	}
}

// finish shares what is left, once run has ended and nothing is learned any more.
func (l *learning) finish() {
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	l.exchange(ctx)
}

// exchange brings the store and this process to the same knowledge. That a store fails
// is logged once, until it works again; what is not saved then is kept.
func (l *learning) exchange(ctx context.Context) {
	var failed error
	for _, server := range l.c.serverNames() {
		if err := l.c.exchangeShapes(ctx, l, server); err != nil {
			failed = err
		}
	}
	if failed != nil && !l.failing {
		l.c.opts.Logger.Warn("conductor: what is learned is not shared now", "error", failed)
	}
	l.failing = failed != nil
}

// errSame says that a record has nothing new.
var errSame = errors.New("nothing new")

// record reads a record and has merge add to it what is new here, if anything is. merge
// gets the stored data, which is empty if there are none, and may be called several
// times. The error is errSame if the record has not changed since it was last read and
// nothing is to be saved.
func (l *learning) record(ctx context.Context, key conversation.Key, news bool, merge func(stored []byte) ([]byte, error)) error {
	store := l.c.states.Store
	if !news {
		r, err := store.Load(ctx, key)
		switch {
		case errors.Is(err, conversation.ErrNotFound):
			return errSame
		case err != nil:
			return err
		case r.Version == l.versions[key]:
			return errSame
		}
		if _, err = merge(r.Data); err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
		l.versions[key] = r.Version
		return nil
	}
	r, err := conversation.Update(ctx, store, key, func(r *conversation.Record) error {
		data, err := merge(r.Data)
		if err != nil {
			return fmt.Errorf("%v: %w", key, err)
		}
		r.Data = data
		return nil
	})
	if err != nil {
		return err
	}
	l.versions[key] = r.Version
	return nil
}
