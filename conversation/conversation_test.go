package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/conductor/conductor/conversation"
	"github.com/google/go-cmp/cmp"
)

func TestCheckID(t *testing.T) {
	for _, test := range []struct {
		id string
		ok bool
	}{
		{conversation.NewID(), true},
		{"user 42 / thread 7", true},
		{"会話", true},
		{"../../etc/passwd", true}, // only a name: stores must not take it for a path
		{strings.Repeat("a", conversation.MaxIDLength), true},
		{"", false},
		{strings.Repeat("a", conversation.MaxIDLength+1), false},
		{"a\nb", false},
		{"a\x00b", false},
		{"a\u202eb", false},
		{"a\xffb", false},
	} {
		t.Run(fmt.Sprintf("%.20q", test.id), func(t *testing.T) {
			err := conversation.CheckID(test.id)
			if ok := err == nil; ok != test.ok {
				t.Errorf("CheckID: %v, want ok = %v", err, test.ok)
			}
			if err != nil && !errors.Is(err, conversation.ErrInvalidID) {
				t.Errorf("CheckID: %v does not wrap ErrInvalidID", err)
			}
		})
	}
}

func TestState(t *testing.T) {
	var s conversation.State
	s.Load("b.x", "a.y")
	s.Load("b.x", "c.z")
	if diff := cmp.Diff([]string{"b.x", "a.y", "c.z"}, s.Loaded); diff != "" {
		t.Errorf("Loaded (-want +got):\n%s", diff)
	}
	for i := range 500 {
		s.AddImports(conversation.Import{Statement: fmt.Sprint("import ", i), Specifier: "m"})
	}
	if n := len(s.Imports); n != 200 || s.Imports[n-1].Statement != "import 499" {
		t.Errorf("%d imports, last %q; want the 200 newest", n, s.Imports[n-1].Statement)
	}
}

func TestMemory(t *testing.T) {
	ctx := t.Context()
	store := conversation.NewMemory(nil)

	if _, err := store.Load(ctx, "a"); !errors.Is(err, conversation.ErrNotFound) {
		t.Errorf("Load of nothing: %v, want ErrNotFound", err)
	}
	saved := &conversation.State{ID: "a", Loaded: []string{"s.t"}}
	if err := store.Save(ctx, saved); err != nil {
		t.Fatal(err)
	}
	if saved.Version != 1 || saved.Updated.IsZero() {
		t.Errorf("after Save: version %d, updated %v", saved.Version, saved.Updated)
	}
	saved.Loaded[0] = "changed"
	loaded, err := store.Load(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Loaded[0] != "s.t" {
		t.Error("the store keeps memory of its caller")
	}
	stale := &conversation.State{ID: "a"}
	if err := store.Save(ctx, stale); !errors.Is(err, conversation.ErrConflict) {
		t.Errorf("Save of a stale version: %v, want ErrConflict", err)
	}
	if err := store.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(ctx, "a"); !errors.Is(err, conversation.ErrNotFound) {
		t.Errorf("Load after Delete: %v, want ErrNotFound", err)
	}
	if err := store.Save(ctx, &conversation.State{}); !errors.Is(err, conversation.ErrInvalidID) {
		t.Errorf("Save without id: %v, want ErrInvalidID", err)
	}
}

func TestMemoryForgetsTheLeastRecentlyUsed(t *testing.T) {
	ctx := t.Context()
	store := conversation.NewMemory(&conversation.MemoryOptions{MaxConversations: 2})
	for _, id := range []string{"a", "b"} {
		if err := store.Save(ctx, &conversation.State{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Load(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(ctx, &conversation.State{ID: "c"}); err != nil {
		t.Fatal(err)
	}
	for id, kept := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, err := store.Load(ctx, id); (err == nil) != kept {
			t.Errorf("%s: %v, want kept = %v", id, err, kept)
		}
	}
}

func TestMemoryForgetsTheIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		store := conversation.NewMemory(&conversation.MemoryOptions{Idle: time.Hour})
		if err := store.Save(ctx, &conversation.State{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if _, err := store.Load(ctx, "a"); err != nil {
			t.Errorf("after 59 minutes: %v", err)
		}
		time.Sleep(61 * time.Minute)
		if _, err := store.Load(ctx, "a"); !errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("after 61 idle minutes: %v, want ErrNotFound", err)
		}
	})
}

func TestUpdateLosesNothing(t *testing.T) {
	ctx := t.Context()
	store := conversation.NewMemory(nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := conversation.Update(ctx, store, "a", func(s *conversation.State) {
				s.Load(fmt.Sprintf("s.t%d", i))
				s.Runs++
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err := store.Load(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if s.Runs != 20 || len(s.Loaded) != 20 {
		t.Errorf("%d runs and %d tools after 20 updates", s.Runs, len(s.Loaded))
	}
}

// busyStore is one in which somebody else always is faster.
type busyStore struct{ *conversation.Memory }

func (busyStore) Save(context.Context, *conversation.State) error { return conversation.ErrConflict }

func TestUpdateGivesUp(t *testing.T) {
	_, err := conversation.Update(t.Context(), busyStore{conversation.NewMemory(nil)}, "a", func(*conversation.State) {})
	if !errors.Is(err, conversation.ErrConflict) {
		t.Errorf("Update: %v, want ErrConflict", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conversation.Update(ctx, conversation.NewMemory(nil), "a", func(*conversation.State) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Update with a cancelled context: %v", err)
	}
}

func ExampleUpdate() {
	ctx := context.Background()
	store := conversation.NewMemory(nil)
	state, err := conversation.Update(ctx, store, "thread-7", func(s *conversation.State) {
		s.Load("salesforce.query")
	})
	fmt.Println(state.Loaded, state.Version, err)
	// Output: [salesforce.query] 1 <nil>
}
