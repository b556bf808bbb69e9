package conductor

import (
	"slices"
	"sync"

	"github.com/conductor/conductor/catalog"
)

const (
	// maxRemembered is of how many conversations it is known what they searched for.
	maxRemembered = 1000
	// maxSearches is how many searches of a conversation wait for the calls that they
	// lead to.
	maxSearches = 8
)

// searches remembers of the last conversations of this process what they found and
// used, for what the catalog learns from it and for the order of what they find next.
// All of it may be lost without harm. A nil *searches remembers nothing.
type searches struct {
	learning *catalog.Learning

	mu   sync.Mutex
	byID *latest[searching]
}

// searching is what is known of one conversation.
type searching struct {
	finds []found  // since the last program that called a tool
	used  []string // by that program
}

// found is one search.
type found struct {
	texts, tools []string
}

func newSearches(learning *catalog.Learning) *searches {
	return &searches{learning: learning, byID: newLatest[searching](maxRemembered)}
}

// used returns the tools that the conversation's last program called with success.
func (s *searches) used(id string) []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID.get(id).used
}

// forget forgets a conversation.
func (s *searches) forget(id string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID.take(id)
}

// hasFound remembers a search.
func (s *searches) hasFound(id string, texts, tools []string) {
	if s == nil || len(tools) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.byID.of(id)
	if len(v.finds) == maxSearches {
		v.finds = slices.Delete(v.finds, 0, 1)
	}
	v.finds = append(v.finds, found{slices.Clone(texts), tools})
}

// hasCalled teaches the catalog what a program's successful calls say about the
// searches before it, and about the program before it.
func (s *searches) hasCalled(id string, calls []Call) {
	if s == nil {
		return
	}
	var used []string
	for _, call := range calls {
		if call.OK && !slices.Contains(used, call.Tool) {
			used = append(used, call.Tool)
		}
	}
	if len(used) == 0 {
		return
	}
	s.mu.Lock()
	v := s.byID.of(id)
	finds, before := v.finds, v.used
	v.finds, v.used = nil, used
	s.mu.Unlock()

	s.learning.Record(catalog.Outcome{Conversation: id, Tools: used, Before: before})
	for _, f := range finds {
		answered := slices.DeleteFunc(slices.Clone(used), func(tool string) bool { return !slices.Contains(f.tools, tool) })
		s.learning.Record(catalog.Outcome{Conversation: id, Queries: f.texts, Tools: answered})
	}
}
