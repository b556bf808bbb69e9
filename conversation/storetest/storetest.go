// Package storetest checks implementations of [conversation.Store].
//
//	func TestMyStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) func() conversation.Store {
//			server := startServer(t)
//			return func() conversation.Store { return mystore.New(server.Address()) }
//		})
//	}
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/conductor/conductor/conversation"
)

// Run checks a store. For each test, storage makes an empty storage, which is the
// test's own, and returns what opens it: each call another handle on it, as other
// replicas would have, or the same one if there can be no other. Both are called on
// the goroutine of the test. The tests take a second or two.
func Run(t *testing.T, storage func(t *testing.T) (open func() conversation.Store)) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() conversation.Store)
	}{
		{"round trip", roundTrip},
		{"not found", notFound},
		{"versions", versions},
		{"deleted and made anew", madeAnew},
		{"ids are only names", ids},
		{"kinds are apart", kinds},
		{"what cannot be", invalid},
		{"memory is the caller's", memory},
		{"expiry", expiry},
		{"pages", pages},
		{"list while others write", listWhileWriting},
		{"no update is lost", updates},
		{"one maker", makers},
		{"states", states},
		{"context", contexts},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, storage(t)) })
	}
}

const kind = "test"

func key(id string) conversation.Key { return conversation.Key{Kind: kind, ID: id} }

func save(t *testing.T, s conversation.Store, r *conversation.Record) {
	t.Helper()
	if err := s.Save(t.Context(), r); err != nil {
		t.Fatalf("Save of %v: %v", r.Key, err)
	}
}

func load(t *testing.T, s conversation.Store, k conversation.Key) *conversation.Record {
	t.Helper()
	r, err := s.Load(t.Context(), k)
	if err != nil {
		t.Fatalf("Load of %v: %v", k, err)
	}
	return r
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want an error that wraps %q", what, err, want)
	}
}

func roundTrip(t *testing.T, open func() conversation.Store) {
	large := slices.Repeat([]byte("0123456789abcdef"), conversation.MaxData/16)
	for name, data := range map[string][]byte{
		"text": []byte(`{"a": 1}`), "nothing": nil, "bytes": {0, 1, 2, '\r', '\n', 0xff, 0xfe}, "large": large,
	} {
		t.Run(name, func(t *testing.T) {
			before := time.Now().Add(-2 * time.Second)
			expires := time.Now().Add(time.Hour)
			r := &conversation.Record{Key: key(name), Expires: expires, Data: data}
			save(t, open(), r)
			if r.Version <= 0 || r.Updated.Before(before) || r.Updated.After(time.Now().Add(2*time.Second)) {
				t.Errorf("after Save: version %d, updated %v", r.Version, r.Updated)
			}
			got := load(t, open(), key(name))
			if got.Key != r.Key || got.Version != r.Version || !got.Updated.Equal(r.Updated) {
				t.Errorf("loaded %v, version %d of %v, want %v, version %d of %v", got.Key, got.Version, got.Updated, r.Key, r.Version, r.Updated)
			}
			if d := got.Expires.Sub(expires).Abs(); d > time.Millisecond {
				t.Errorf("expires at %v, want %v", got.Expires, expires)
			}
			if !slices.Equal(got.Data, data) {
				t.Errorf("the data has %d bytes and differs from the %d that were saved", len(got.Data), len(data))
			}
			r.Expires = time.Time{}
			save(t, open(), r)
			if got := load(t, open(), key(name)); !got.Expires.IsZero() {
				t.Errorf("expires at %v, want never", got.Expires)
			}
		})
	}
}

func notFound(t *testing.T, open func() conversation.Store) {
	s := open()
	_, err := s.Load(t.Context(), key("a"))
	wantError(t, "Load of nothing", err, conversation.ErrNotFound)
	if err != nil && !strings.Contains(err.Error(), `test "a"`) {
		t.Errorf("the error does not name the record: %v", err)
	}
	if err := s.Delete(t.Context(), key("a")); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	save(t, s, &conversation.Record{Key: key("a")})
	if err := s.Delete(t.Context(), key("a")); err != nil {
		t.Errorf("Delete: %v", err)
	}
	_, err = open().Load(t.Context(), key("a"))
	wantError(t, "Load after Delete", err, conversation.ErrNotFound)
}

func versions(t *testing.T, open func() conversation.Store) {
	a, b := open(), open()
	r := &conversation.Record{Key: key("a"), Data: []byte("1")}
	wantError(t, "Save of a version where there is none", a.Save(t.Context(), &conversation.Record{Key: key("a"), Version: 7}), conversation.ErrConflict)
	save(t, a, r)
	first := r.Version
	other := load(t, b, key("a"))
	other.Data = []byte("2")
	save(t, b, other)
	if other.Version <= first {
		t.Errorf("version %d after %d, want a greater one", other.Version, first)
	}
	r.Data = []byte("3")
	err := a.Save(t.Context(), r)
	wantError(t, "Save of a version that is past", err, conversation.ErrConflict)
	if err != nil && !strings.Contains(err.Error(), `test "a"`) {
		t.Errorf("the error does not name the record: %v", err)
	}
	if r.Version != first {
		t.Errorf("a Save that failed has changed the version from %d to %d", first, r.Version)
	}
	wantError(t, "Save as new", a.Save(t.Context(), &conversation.Record{Key: key("a")}), conversation.ErrConflict)
	if got := load(t, a, key("a")); string(got.Data) != "2" || got.Version != other.Version {
		t.Errorf("stored is %q, version %d; want 2, version %d", got.Data, got.Version, other.Version)
	}
}

func madeAnew(t *testing.T, open func() conversation.Store) {
	a, b := open(), open()
	old := &conversation.Record{Key: key("a"), Data: []byte("old")}
	save(t, a, old)
	if err := b.Delete(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	save(t, b, &conversation.Record{Key: key("a"), Data: []byte("new")})
	wantError(t, "Save of what was deleted and made anew", a.Save(t.Context(), old), conversation.ErrConflict)
	if got := load(t, a, key("a")); string(got.Data) != "new" {
		t.Errorf("stored is %q, want new", got.Data)
	}
}

// oddIDs are different records in every store.
var oddIDs = []string{
	"a", "A", "ä", "a\u0308", ".", "..", "../../etc/passwd", "/etc/passwd", `C:\Windows`, "con", "nul.txt",
	"a/b", "a:b", "a*b", "a?b", "[a]", "{a}", "a b", " a", "a ", "%2e", "$HOME", "`id`", "a'b", `a"b`, "-rf", "a.tmp", "a.new", ".lock",
	"会话", "🦊", "a\\b", "*", "user 42 / thread 7", strings.Repeat("x", conversation.MaxIDLength),
	strings.Repeat("x", conversation.MaxIDLength-1) + "y", strings.Repeat("ä", conversation.MaxIDLength/2),
}

func ids(t *testing.T, open func() conversation.Store) {
	s := open()
	for i, id := range oddIDs {
		save(t, s, &conversation.Record{Key: key(id), Data: fmt.Append(nil, i)})
	}
	s = open()
	for i, id := range oddIDs {
		if got := load(t, s, key(id)); string(got.Data) != fmt.Sprint(i) || got.Key.ID != id {
			t.Errorf("%q: got %q of %q, want %d", id, got.Data, got.Key.ID, i)
		}
	}
	if diff := missing(listed(t, s, 7), oddIDs); diff != "" {
		t.Error(diff)
	}
	if err := s.Delete(t.Context(), key("*")); err != nil {
		t.Fatal(err)
	}
	if n := len(listed(t, s, 100)); n != len(oddIDs)-1 {
		t.Errorf("%d records after one of %d was deleted", n, len(oddIDs))
	}
}

func kinds(t *testing.T, open func() conversation.Store) {
	s := open()
	all := []string{"a", "a-b", "b", "z0-9"}
	for _, k := range all {
		save(t, s, &conversation.Record{Key: conversation.Key{Kind: k, ID: "b-b"}, Data: []byte(k)})
	}
	for _, k := range all {
		if got := load(t, s, conversation.Key{Kind: k, ID: "b-b"}); string(got.Data) != k {
			t.Errorf("kind %q: got %q", k, got.Data)
		}
		page, err := s.List(t.Context(), k, "", 0)
		if err != nil || len(page.Records) != 1 || page.Records[0].Key.Kind != k {
			t.Errorf("List of %q: %+v, %v", k, page, err)
		}
	}
	if page, err := s.List(t.Context(), "none", "", 0); err != nil || len(page.Records) != 0 || page.Next != "" {
		t.Errorf("List of a kind without records: %+v, %v", page, err)
	}
}

func invalid(t *testing.T, open func() conversation.Store) {
	s := open()
	for _, k := range []conversation.Key{
		{}, {Kind: kind}, {ID: "a"}, {Kind: "A", ID: "a"}, {Kind: "../a", ID: "a"}, {Kind: strings.Repeat("k", 33), ID: "a"},
		{Kind: kind, ID: "a\nb"}, {Kind: kind, ID: "a\x00"}, {Kind: kind, ID: "\xff"}, {Kind: kind, ID: strings.Repeat("a", conversation.MaxIDLength+1)},
	} {
		_, err := s.Load(t.Context(), k)
		wantError(t, fmt.Sprintf("Load of %v", k), err, conversation.ErrInvalidID)
		wantError(t, fmt.Sprintf("Save of %v", k), s.Save(t.Context(), &conversation.Record{Key: k}), conversation.ErrInvalidID)
		wantError(t, fmt.Sprintf("Delete of %v", k), s.Delete(t.Context(), k), conversation.ErrInvalidID)
	}
	_, err := s.List(t.Context(), "*", "", 0)
	wantError(t, "List of *", err, conversation.ErrInvalidID)
	wantError(t, "Save of too much", s.Save(t.Context(), &conversation.Record{Key: key("a"), Data: make([]byte, conversation.MaxData+1)}), conversation.ErrTooLarge)
	_, err = s.Load(t.Context(), key("a"))
	wantError(t, "Load of what was too much", err, conversation.ErrNotFound)
}

func memory(t *testing.T, open func() conversation.Store) {
	s := open()
	r := &conversation.Record{Key: key("a"), Data: []byte("abc")}
	save(t, s, r)
	r.Data[0] = 'x'
	got := load(t, s, key("a"))
	if string(got.Data) != "abc" {
		t.Error("the store keeps memory of its caller")
	}
	got.Data[0] = 'y'
	if got := load(t, s, key("a")); string(got.Data) != "abc" {
		t.Error("the store hands out its own memory")
	}
}

func expiry(t *testing.T, open func() conversation.Store) {
	s := open()
	const soon = time.Second // longer than the saves below take
	r := &conversation.Record{Key: key("soon"), Expires: time.Now().Add(soon), Data: []byte("1")}
	save(t, s, r)
	save(t, s, &conversation.Record{Key: key("later"), Expires: time.Now().Add(time.Hour)})
	save(t, s, &conversation.Record{Key: key("never")})
	prolonged := &conversation.Record{Key: key("prolonged"), Expires: time.Now().Add(soon)}
	save(t, s, prolonged)
	prolonged.Expires = time.Now().Add(time.Hour)
	save(t, s, prolonged)
	time.Sleep(time.Until(r.Expires) + 50*time.Millisecond)
	for _, s := range []conversation.Store{s, open()} {
		_, err := s.Load(t.Context(), key("soon"))
		wantError(t, "Load of what has expired", err, conversation.ErrNotFound)
		if diff := missing(listed(t, s, 2), []string{"later", "never", "prolonged"}); diff != "" {
			t.Error(diff)
		}
	}
	wantError(t, "Save of what has expired", s.Save(t.Context(), r), conversation.ErrConflict)
	save(t, s, &conversation.Record{Key: key("soon"), Data: []byte("2")})
	if got := load(t, s, key("soon")); string(got.Data) != "2" || !got.Expires.IsZero() {
		t.Errorf("made anew, it is %q and expires at %v", got.Data, got.Expires)
	}
}

// listed returns the ids of all pages.
func listed(t *testing.T, s conversation.Store, limit int) []string {
	t.Helper()
	var ids []string
	for cursor := ""; ; {
		page, err := s.List(t.Context(), kind, cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Records) > limit {
			t.Errorf("a page of %d records, want %d at most", len(page.Records), limit)
		}
		for _, r := range page.Records {
			if r.Key.Kind != kind || r.Version <= 0 || r.Updated.IsZero() || r.Data != nil {
				t.Errorf("listed is %+v", r)
			}
			ids = append(ids, r.Key.ID)
		}
		if cursor = page.Next; cursor == "" {
			return ids
		}
		if len(ids) > 10_000 {
			t.Fatal("the list has no end")
		}
	}
}

// missing compares without order.
func missing(got, want []string) string {
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("listed are %q, want %q", got, want)
}

func pages(t *testing.T, open func() conversation.Store) {
	s := open()
	var want []string
	for i := range 105 {
		id := fmt.Sprintf("id %d", i)
		want = append(want, id)
		save(t, s, &conversation.Record{Key: key(id)})
	}
	for _, limit := range []int{1, 10, 35, 105, 1000} {
		if diff := missing(listed(t, s, limit), want); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
	page, err := s.List(t.Context(), kind, "", 0)
	if err != nil || len(page.Records) != 100 || page.Next == "" {
		t.Errorf("a page with limit 0 has %d records and the cursor %q (%v), want 100 and one", len(page.Records), page.Next, err)
	}
}

// What is there all the time comes exactly once, whatever becomes of the others.
func listWhileWriting(t *testing.T, open func() conversation.Store) {
	s := open()
	var stay []string
	for i := range 40 {
		id := fmt.Sprintf("stay %d", i)
		stay = append(stay, id)
		save(t, s, &conversation.Record{Key: key(id)})
		save(t, s, &conversation.Record{Key: key(fmt.Sprintf("go %d", i))})
	}
	counts := map[string]int{}
	cursor, i := "", 0
	for {
		page, err := s.List(t.Context(), kind, cursor, 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			counts[r.Key.ID]++
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		for range 3 {
			if err := s.Delete(t.Context(), key(fmt.Sprintf("go %d", i))); err != nil {
				t.Fatal(err)
			}
			save(t, s, &conversation.Record{Key: key(fmt.Sprintf("come %d", i))})
			save(t, s, load(t, s, key(stay[i])))
			i++
		}
	}
	for _, id := range stay {
		if counts[id] != 1 {
			t.Errorf("%q was listed %d times", id, counts[id])
		}
	}
}

// updates has several handles, with several goroutines each, count in one record.
func updates(t *testing.T, open func() conversation.Store) {
	const handles, goroutines, rounds = 3, 3, 8
	var group sync.WaitGroup
	for h := range handles {
		s := open()
		for g := range goroutines {
			group.Go(func() {
				for i := range rounds {
					line := fmt.Sprintf("%d.%d.%d\n", h, g, i)
					if _, err := conversation.Update(t.Context(), s, key("a"), func(r *conversation.Record) error {
						r.Data = append(r.Data, line...)
						return nil
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
	lines := strings.Fields(string(load(t, open(), key("a")).Data))
	if n := len(lines); n != handles*goroutines*rounds {
		t.Errorf("%d of %d updates are there", n, handles*goroutines*rounds)
	}
	slices.Sort(lines)
	if n := len(slices.Compact(lines)); n != handles*goroutines*rounds {
		t.Errorf("%d different updates of %d", n, handles*goroutines*rounds)
	}
}

// makers has several want to make the same record: one of them does.
func makers(t *testing.T, open func() conversation.Store) {
	const n = 8
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		s := open()
		group.Go(func() { errs[i] = s.Save(t.Context(), &conversation.Record{Key: key("a"), Data: fmt.Append(nil, i)}) })
	}
	group.Wait()
	made := -1
	for i, err := range errs {
		switch {
		case err == nil && made >= 0:
			t.Errorf("both %d and %d have made the record", made, i)
		case err == nil:
			made = i
		default:
			wantError(t, "Save by one who was too late", err, conversation.ErrConflict)
		}
	}
	if made < 0 {
		t.Fatal("nobody has made the record")
	}
	if got := load(t, open(), key("a")); string(got.Data) != fmt.Sprint(made) {
		t.Errorf("the record is of %s, but %d was told that it has made it", got.Data, made)
	}
}

func states(t *testing.T, open func() conversation.Store) {
	const handles, rounds = 3, 6
	var group sync.WaitGroup
	for h := range handles {
		s := &conversation.States{Store: open()}
		group.Go(func() {
			for i := range rounds {
				if _, err := s.Update(t.Context(), "a", func(state *conversation.State) error {
					state.Counters.Add(conversation.Counters{Runs: 1, Calls: 2})
					state.Bind(conversation.Binding{Name: fmt.Sprintf("name%d", h), Specifier: "./mcp/s", Export: "*"})
					return state.Load(conversation.LoadedTool{ID: fmt.Sprintf("s.tool%d-%d", h, i), Hash: "1"}, conversation.LoadedTool{ID: "s.all"})
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := (&conversation.States{Store: open()}).Load(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	const n = handles * rounds
	if len(got.Loaded) != n+1 || len(got.Bindings) != handles || got.Counters.Runs != n || got.Counters.Calls != 2*n {
		t.Errorf("after %d updates: %d tools, %d bindings, %+v", n, len(got.Loaded), len(got.Bindings), got.Counters)
	}
}

func contexts(t *testing.T, open func() conversation.Store) {
	s := open()
	save(t, s, &conversation.Record{Key: key("a"), Data: []byte("1")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, loadErr := s.Load(ctx, key("a"))
	_, listErr := s.List(ctx, kind, "", 0)
	for what, err := range map[string]error{
		"Load": loadErr, "List": listErr,
		"Save":   s.Save(ctx, &conversation.Record{Key: key("b")}),
		"Delete": s.Delete(ctx, key("a")),
	} {
		wantError(t, what+" with a context that has ended", err, context.Canceled)
	}
	load(t, s, key("a"))
}
