package conversation

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Defaults of [MemoryOptions].
const (
	DefaultMaxRecords = 10_000
	DefaultMaxBytes   = 256 << 20
)

// MemoryOptions bound a [Memory]. The zero value means the defaults.
type MemoryOptions struct {
	// MaxRecords is how many records are kept, and MaxBytes how many bytes of data
	// they may have together. One more makes the store forget those that were unused
	// the longest. Zero means [DefaultMaxRecords] and [DefaultMaxBytes].
	MaxRecords int
	MaxBytes   int
}

// Memory is a [Store] in the memory of this process. It starts no goroutine: what
// has expired is dropped when room is needed, or when it is asked for.
type Memory struct {
	opts MemoryOptions

	mu     sync.Mutex
	byKey  map[Key]*list.Element // of *Record
	recent *list.List            // most recently used first
	bytes  int
}

// NewMemory makes an empty store. Options may be nil.
func NewMemory(options *MemoryOptions) *Memory {
	m := &Memory{byKey: map[Key]*list.Element{}, recent: list.New()}
	if options != nil {
		m.opts = *options
	}
	if m.opts.MaxRecords <= 0 {
		m.opts.MaxRecords = DefaultMaxRecords
	}
	if m.opts.MaxBytes <= 0 {
		m.opts.MaxBytes = DefaultMaxBytes
	}
	return m
}

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, key Key) (*Record, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.find(key)
	if e == nil {
		return nil, fmt.Errorf("%v: %w", key, ErrNotFound)
	}
	m.recent.MoveToFront(e)
	r := *e.Value.(*Record)
	r.Data = slices.Clone(r.Data)
	return &r, nil
}

// Save implements [Store].
func (m *Memory) Save(ctx context.Context, r *Record) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%v: %w", r.Key, err)
	}
	if err := CheckRecord(r); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var stored int64
	e := m.find(r.Key)
	if e != nil {
		stored = e.Value.(*Record).Version
	}
	if stored != r.Version {
		return conflict(r, stored)
	}
	if e != nil {
		m.forget(e)
	}
	saved(r, stored)
	kept := *r
	kept.Data = slices.Clone(r.Data)
	m.byKey[r.Key] = m.recent.PushFront(&kept)
	m.bytes += len(kept.Data)
	for m.recent.Len() > m.opts.MaxRecords || m.bytes > m.opts.MaxBytes && m.recent.Len() > 1 {
		m.forget(m.recent.Back())
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(ctx context.Context, key Key) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byKey[key]; e != nil {
		m.forget(e)
	}
	return nil
}

// List implements [Store]; the order is that of the ids.
func (m *Memory) List(ctx context.Context, kind, cursor string, limit int) (*Page, error) {
	if err := CheckKind(kind); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	page := &Page{}
	for key, e := range m.byKey {
		if r := *e.Value.(*Record); key.Kind == kind && key.ID > cursor && !expired(r.Expires) {
			r.Data = nil
			page.Records = append(page.Records, r)
		}
	}
	slices.SortFunc(page.Records, func(a, b Record) int { return strings.Compare(a.Key.ID, b.Key.ID) })
	if limit = PageLimit(limit); len(page.Records) > limit {
		page.Records = page.Records[:limit]
		page.Next = page.Records[limit-1].Key.ID
	}
	return page, nil
}

// find returns the element of a record that has not expired, or nil.
func (m *Memory) find(key Key) *list.Element {
	e := m.byKey[key]
	if e != nil && expired(e.Value.(*Record).Expires) {
		m.forget(e)
		return nil
	}
	return e
}

func (m *Memory) forget(e *list.Element) {
	r := m.recent.Remove(e).(*Record)
	m.bytes -= len(r.Data)
	delete(m.byKey, r.Key)
}

// check is what a store looks at before it is asked for a record.
func check(ctx context.Context, key Key) error {
	if err := key.Check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%v: %w", key, err)
	}
	return nil
}

func conflict(r *Record, stored int64) error {
	return fmt.Errorf("%v: %w: it has version %d, not %d", r.Key, ErrConflict, stored, r.Version)
}

// saved makes a record what it is once it is stored in place of a version.
func saved(r *Record, stored int64) {
	r.Version = NextVersion(stored)
	r.Updated = time.Now().UTC().Truncate(time.Millisecond)
	r.Expires = truncate(r.Expires)
}

// truncate is what stores keep of a time of expiry.
func truncate(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}
