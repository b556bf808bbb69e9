package conversation

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// Defaults of [MemoryOptions].
const (
	DefaultMaxConversations = 10_000
	DefaultIdle             = 24 * time.Hour
)

// MemoryOptions bound a [Memory]. The zero value means the defaults.
type MemoryOptions struct {
	// MaxConversations is how many are kept; one more makes the store forget the
	// one that was unused the longest. Zero means [DefaultMaxConversations].
	MaxConversations int
	// Idle is how long an unused conversation is kept. Zero means [DefaultIdle].
	Idle time.Duration
}

// Memory is a [Store] in the memory of this process. It starts no goroutine: what
// has expired is dropped when the store is next used.
type Memory struct {
	opts MemoryOptions

	mu     sync.Mutex
	byID   map[string]*list.Element // of *remembered
	recent *list.List               // most recently used first
}

type remembered struct {
	state *State
	used  time.Time
}

// NewMemory makes an empty store. Options may be nil.
func NewMemory(options *MemoryOptions) *Memory {
	m := &Memory{byID: map[string]*list.Element{}, recent: list.New()}
	if options != nil {
		m.opts = *options
	}
	if m.opts.MaxConversations <= 0 {
		m.opts.MaxConversations = DefaultMaxConversations
	}
	if m.opts.Idle <= 0 {
		m.opts.Idle = DefaultIdle
	}
	return m
}

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, id string) (*State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	e, ok := m.byID[id]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	r := e.Value.(*remembered)
	r.used = time.Now()
	m.recent.MoveToFront(e)
	return r.state.clone(), nil
}

// Save implements [Store].
func (m *Memory) Save(ctx context.Context, s *State) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := CheckID(s.ID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	e, ok := m.byID[s.ID]
	var stored int64
	if ok {
		stored = e.Value.(*remembered).state.Version
	}
	if stored != s.Version {
		return fmt.Errorf("%w: %q has version %d, not %d", ErrConflict, s.ID, stored, s.Version)
	}
	s.Version++
	s.Updated = time.Now()
	r := &remembered{state: s.clone(), used: s.Updated}
	if ok {
		e.Value = r
		m.recent.MoveToFront(e)
		return nil
	}
	m.byID[s.ID] = m.recent.PushFront(r)
	if m.recent.Len() > m.opts.MaxConversations {
		m.forget(m.recent.Back())
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byID[id]; ok {
		m.forget(e)
	}
	return nil
}

// expire drops what has not been used for too long.
func (m *Memory) expire() {
	for e := m.recent.Back(); e != nil && time.Since(e.Value.(*remembered).used) > m.opts.Idle; e = m.recent.Back() {
		m.forget(e)
	}
}

func (m *Memory) forget(e *list.Element) {
	m.recent.Remove(e)
	delete(m.byID, e.Value.(*remembered).state.ID)
}
