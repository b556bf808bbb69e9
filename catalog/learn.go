package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Learning is what successful calls teach a catalog: which words led to which tool,
// which tools are used in one turn, and which in the next. Give it to a catalog in
// [Options]; catalogs may share one. It is safe for concurrent use.
//
// One conversation counts once for each thing that it teaches, and what only one
// conversation has taught has no effect: nobody can move the ranking for others
// from within one. What is learned fades, to a half in 30 days, and is bounded;
// what has taught least goes first. Of words and conversations only 32-bit hashes
// are kept; names of tools are kept as they are.
//
// Replicas share what they learn through [Learning.Sync].
type Learning struct {
	now func() time.Time

	mu      sync.RWMutex
	sum     *lessons            // all that is known here
	pending *lessons            // the part of it that is not saved
	byTerm  map[uint32][]string // tools that have the term in sum, sorted
}

// NewLearning returns a Learning that knows nothing.
func NewLearning() *Learning {
	return &Learning{now: time.Now, sum: newLessons(), pending: newLessons(), byTerm: make(map[uint32][]string)}
}

// An Outcome is what one turn of a conversation came to.
type Outcome struct {
	// Conversation identifies the conversation. Nothing is learned without it.
	Conversation string
	// Queries are what was searched for in the turn.
	Queries []string
	// Tools are the ids of the tools whose calls succeeded in the turn. Each query
	// counts for each of them, so leave out queries that they do not answer.
	Tools []string
	// Before are the ids of the tools whose calls succeeded in the turn before.
	Before []string
}

const (
	maxOutcomeTools   = 16
	maxOutcomeQueries = 8
	maxToolID         = 300 // bytes; longer ones are not learned
)

// Record learns from an outcome.
func (l *Learning) Record(o Outcome) {
	if o.Conversation == "" || len(o.Tools) == 0 {
		return
	}
	voice := uint32(hash('v', o.Conversation))
	day := l.today()
	tools := learnable(o.Tools)
	before := learnable(o.Before)
	var words []uint32
	for _, q := range o.Queries[:min(maxOutcomeQueries, len(o.Queries))] {
		for _, t := range queryTerms(terms(clip(q, maxEmbedRunes))) {
			if h := termHash(t); !slices.Contains(words, h) {
				words = append(words, h)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tools {
		l.teach(t, kindUse, "", voice, day)
		for _, w := range words {
			if l.teach(t, kindTerm, termKey(w), voice, day) {
				l.index(w, t)
			}
		}
		for _, other := range tools {
			if other != t {
				l.teach(t, kindWith, other, voice, day)
			}
		}
		for _, b := range before {
			if b != t {
				l.teach(b, kindNext, t, voice, day)
			}
		}
	}
	for _, b := range before {
		l.teach(b, kindTurn, "", voice, day)
	}
	if l.sum.trim() {
		l.reindex()
	}
	l.pending.trim()
}

// learnable returns the first ids that are short enough, each once.
func learnable(ids []string) []string {
	var out []string
	for _, id := range ids {
		if id != "" && len(id) <= maxToolID && len(out) < maxOutcomeTools && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// teach counts a conversation for a lesson, unless it was counted already.
func (l *Learning) teach(tool string, kind lessonKind, key string, voice uint32, day int) bool {
	if !l.sum.add(tool, kind, key, voice, day) {
		return false
	}
	l.pending.add(tool, kind, key, voice, day)
	return true
}

func (l *Learning) today() int { return int(l.now().Unix() / (24 * 60 * 60)) }

func (l *Learning) index(term uint32, tool string) {
	list := l.byTerm[term]
	if i, found := slices.BinarySearch(list, tool); !found {
		l.byTerm[term] = slices.Insert(slices.Clip(list), i, tool)
	}
}

func (l *Learning) reindex() {
	l.byTerm = make(map[uint32][]string)
	for id, t := range l.sum.Tools {
		for key := range t.Terms {
			if h, ok := readTermKey(key); ok {
				l.byTerm[h] = append(l.byTerm[h], id)
			}
		}
	}
	for _, list := range l.byTerm {
		slices.Sort(list)
	}
}

// ErrLearnedFormat is wrapped by the error of [Learning.Sync] for stored lessons in
// a format that this version does not know, which a newer version has saved.
var ErrLearnedFormat = errors.New("learned lessons in an unknown format")

var errNothingLearned = errors.New("nothing to save")

// Sync saves what was learned since the last time, and takes over what other
// replicas have saved. It calls update once, which must load the stored bytes (none
// if nothing is stored yet), give them to change, and store what that returns, all
// as one step: if somebody else has stored something in between, it loads again and
// calls change again. Nothing needs to be stored if change returns its argument. An
// error of change is to be returned. With [conversation.Update] it is
//
//	err := learning.Sync(ctx, func(ctx context.Context, change func([]byte) ([]byte, error)) error {
//		_, err := conversation.Update(ctx, store, key, func(r *conversation.Record) (err error) {
//			r.Data, err = change(r.Data)
//			return err
//		})
//		return err
//	})
//
// The bytes are JSON of at most 3 MB; the same lessons give the same bytes. Stored
// bytes that are damaged count as none. If update fails, what was not saved is tried
// again by the next Sync; nothing is lost, and if update has stored it all the same,
// it counts twice for what it teaches by conversations that many others followed.
//
// [conversation.Update]: https://pkg.go.dev/github.com/conductor/conductor/conversation#Update
func (l *Learning) Sync(ctx context.Context, update func(ctx context.Context, change func(stored []byte) ([]byte, error)) error) error {
	l.mu.Lock()
	delta := l.pending
	l.pending = newLessons() // of what happens meanwhile
	whole := l.sum.clone()
	l.mu.Unlock()

	var merged *lessons
	err := update(ctx, func(stored []byte) ([]byte, error) {
		base, err := decodeLessons(stored)
		switch {
		case err != nil:
			return nil, err
		case base == nil: // none, or damaged: what is known here is all there is
			merged = whole.clone()
		case delta.size() == 0:
			merged = base
			return stored, nil
		default:
			merged = base
			merged.merge(delta)
		}
		merged.trim()
		if merged.size() == 0 {
			return nil, errNothingLearned
		}
		return merged.encode()
	})
	if errors.Is(err, errNothingLearned) {
		err = nil
	}
	if err == nil && merged == nil {
		err = errors.New("update did not call change")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		meanwhile := l.pending
		l.pending = delta
		l.pending.merge(meanwhile)
		l.pending.trim()
		return fmt.Errorf("save what was learned: %w", err)
	}
	merged.merge(l.pending)
	merged.trim()
	l.sum = merged
	l.reindex()
	return nil
}
