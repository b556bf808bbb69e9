package conversation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/conversation/storetest"
)

func TestCheckID(t *testing.T) {
	for _, test := range []struct {
		id string
		ok bool
	}{
		{conversation.NewID(), true},
		{"user 42 / thread 7", true},
		{"会话", true},
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

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) func() conversation.Store {
		store := conversation.NewMemory(nil)
		return func() conversation.Store { return store }
	})
}

func key(id string) conversation.Key { return conversation.Key{Kind: "test", ID: id} }

func TestMemoryForgetsTheLeastRecentlyUsed(t *testing.T) {
	for name, opts := range map[string]conversation.MemoryOptions{"records": {MaxRecords: 2}, "bytes": {MaxBytes: 25}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			store := conversation.NewMemory(&opts)
			save := func(id string) {
				if err := store.Save(ctx, &conversation.Record{Key: key(id), Data: []byte("0123456789")}); err != nil {
					t.Fatal(err)
				}
			}
			save("a")
			save("b")
			if _, err := store.Load(ctx, key("a")); err != nil {
				t.Fatal(err)
			}
			save("c")
			for id, kept := range map[string]bool{"a": true, "b": false, "c": true} {
				if _, err := store.Load(ctx, key(id)); (err == nil) != kept {
					t.Errorf("%s: %v, want kept = %v", id, err, kept)
				}
			}
		})
	}
}

func TestStatesForgetTheIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := &conversation.States{Store: conversation.NewMemory(nil), Keep: time.Hour}
		touch := func() {
			if _, err := states.Update(t.Context(), "a", func(*conversation.State) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		touch()
		time.Sleep(59 * time.Minute)
		touch()
		time.Sleep(59 * time.Minute)
		if _, err := states.Load(t.Context(), "a"); err != nil {
			t.Errorf("59 minutes after a change: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := states.Load(t.Context(), "a"); !errors.Is(err, conversation.ErrNotFound) {
			t.Errorf("61 minutes after the last change: %v, want ErrNotFound", err)
		}
		states.Keep = -1
		touch()
		time.Sleep(10 * 365 * 24 * time.Hour)
		if _, err := states.Load(t.Context(), "a"); err != nil {
			t.Errorf("kept for ever: %v", err)
		}
	})
}

// busyStore is one in which somebody else always is faster.
type busyStore struct{ *conversation.Memory }

func (busyStore) Save(context.Context, *conversation.Record) error { return conversation.ErrConflict }

func TestUpdateGivesUp(t *testing.T) {
	change := func(r *conversation.Record) error { return nil }
	synctest.Test(t, func(t *testing.T) {
		_, err := conversation.Update(t.Context(), busyStore{conversation.NewMemory(nil)}, key("a"), change)
		if !errors.Is(err, conversation.ErrConflict) {
			t.Errorf("Update: %v, want ErrConflict", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := conversation.Update(ctx, busyStore{conversation.NewMemory(nil)}, key("a"), change); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Update with a context that ends: %v", err)
		}
	})
}

func TestUpdateThatIsNone(t *testing.T) {
	store := conversation.NewMemory(nil)
	refused := errors.New("refused")
	if _, err := conversation.Update(t.Context(), store, key("a"), func(*conversation.Record) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("Update: %v, want the error of the change", err)
	}
	if _, err := store.Load(t.Context(), key("a")); !errors.Is(err, conversation.ErrNotFound) {
		t.Errorf("a change that failed was saved: %v", err)
	}
	made, err := conversation.Update(t.Context(), store, key("a"), func(*conversation.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	same, err := conversation.Update(t.Context(), store, key("a"), func(r *conversation.Record) error { return nil })
	if err != nil || same.Version != made.Version {
		t.Errorf("a change of nothing was saved: version %d after %d, %v", same.Version, made.Version, err)
	}
}

// Every counter is added to, and none may be negative.
func TestCountersAreComplete(t *testing.T) {
	var one conversation.Counters
	fields := reflect.ValueOf(&one).Elem()
	for i := range fields.NumField() {
		fields.Field(i).SetInt(1)
	}
	sum := one
	sum.Add(one)
	for i := range fields.NumField() {
		if got := reflect.ValueOf(sum).Field(i).Int(); got != 2 {
			t.Errorf("%s is %d, want 2", fields.Type().Field(i).Name, got)
		}
		s := conversation.State{}
		reflect.ValueOf(&s.Counters).Elem().Field(i).SetInt(-1)
		if _, err := s.Encode(); !errors.Is(err, conversation.ErrDamaged) {
			t.Errorf("a negative %s: %v", fields.Type().Field(i).Name, err)
		}
	}
}

func TestState(t *testing.T) {
	var s conversation.State
	for _, tools := range [][]conversation.LoadedTool{{{ID: "b.x", Hash: "1"}, {ID: "a.y"}}, {{ID: "b.x", Hash: "2"}, {ID: "c.z"}}} {
		if err := s.Load(tools...); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]conversation.LoadedTool{{ID: "b.x", Hash: "2"}, {ID: "a.y"}, {ID: "c.z"}}, s.Loaded); diff != "" {
		t.Errorf("Loaded (-want +got):\n%s", diff)
	}
	for i := range 500 {
		s.Bind(conversation.Binding{Name: fmt.Sprintf("n%d", i%250), Specifier: fmt.Sprintf("./m%d", i), Export: "*"})
	}
	if n := len(s.Bindings); n != 200 || s.Bindings[n-1].Specifier != "./m499" || s.Bindings[0].Name != "n50" {
		t.Errorf("%d bindings from %v to %v; want the 200 newest", n, s.Bindings[0], s.Bindings[n-1])
	}
	before := len(s.Bindings)
	s.Bind(conversation.Binding{Name: "a b", Specifier: "m", Export: "*"}, conversation.Binding{Name: "a", Specifier: "\x00", Export: "*"}, conversation.Binding{Name: "a", Specifier: "m"})
	if len(s.Bindings) != before {
		t.Errorf("what no program can have written is bound: %v", s.Bindings[before-1:])
	}
	if err := s.Load(conversation.LoadedTool{ID: "s." + strings.Repeat("x", 1000)}); !errors.Is(err, conversation.ErrTooLarge) {
		t.Errorf("Load of a name of 1,000 bytes: %v, want ErrTooLarge", err)
	}
	c := conversation.Counters{Runs: 1<<63 - 2}
	c.Add(conversation.Counters{Runs: 5, Calls: -1, RunTime: time.Second})
	if diff := cmp.Diff(conversation.Counters{Runs: 1<<63 - 1, RunTime: time.Second}, c); diff != "" {
		t.Errorf("Counters (-want +got):\n%s", diff)
	}
}

func TestEncode(t *testing.T) {
	s := &conversation.State{ID: "not this", Version: 3, Created: time.UnixMilli(1).UTC(), Counters: conversation.Counters{Runs: 1}}
	s.Bind(conversation.Binding{Name: "sf", Specifier: "./mcp/sf", Export: "*"})
	if err := s.Load(conversation.LoadedTool{ID: "sf.query", Hash: "0a", Signature: "sf.query(): Promise<any>"}); err != nil {
		t.Fatal(err)
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"format":1,"created":"1970-01-01T00:00:00.001Z",` +
		`"loaded":[{"id":"sf.query","hash":"0a","signature":"sf.query(): Promise\u003cany\u003e"}],` +
		`"bindings":[{"name":"sf","specifier":"./mcp/sf","export":"*"}],"counters":{"runs":1}}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
	got, err := conversation.DecodeState(data)
	if err != nil {
		t.Fatal(err)
	}
	s.ID, s.Version = "", 0
	if diff := cmp.Diff(s, got, cmpopts.IgnoreUnexported(conversation.State{})); diff != "" {
		t.Errorf("DecodeState (-want +got):\n%s", diff)
	}
}

// A replica of an older version does not lose what a newer one keeps.
func TestUnknownFieldsStay(t *testing.T) {
	s, err := conversation.DecodeState([]byte(`{"format":1,"loaded":[{"id":"a.b"}],"zebra":[1, 2],"apple":{"x":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(conversation.LoadedTool{ID: "a.c"}); err != nil {
		t.Fatal(err)
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"format":1,"loaded":[{"id":"a.b"},{"id":"a.c"}],"apple":{"x":null},"zebra":[1,2]}`, string(data)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name, data string
		want       error
		says       string
	}{
		{"nothing", "", conversation.ErrDamaged, "unexpected end"},
		{"torn", `{"format":1,"loaded":[{"id":"a.`, conversation.ErrDamaged, "unexpected end"},
		{"no object", `[]`, conversation.ErrDamaged, "cannot unmarshal array"},
		{"null", `null`, conversation.ErrDamaged, "no format"},
		{"no format", `{"loaded":[]}`, conversation.ErrDamaged, "no format"},
		{"newer", `{"format":2,"loaded":"?"}`, conversation.ErrFormat, "unknown format 2: this version of Conductor reads format 1"},
		{"wrong type", `{"format":1,"loaded":{}}`, conversation.ErrDamaged, "loaded"},
		{"twice", `{"format":1,"loaded":[{"id":"a.b"},{"id":"a.b"}]}`, conversation.ErrDamaged, `"a.b"`},
		{"no tool", `{"format":1,"loaded":[{"id":"ab"}]}`, conversation.ErrDamaged, `"ab"`},
		{"long tool", `{"format":1,"loaded":[{"id":"a.` + strings.Repeat("b", 1000) + `"}]}`, conversation.ErrTooLarge, "too long"},
		{"many tools", `{"format":1,"loaded":[` + strings.Repeat(`{"id":"a.b"},`, 10_000) + `{"id":"a.c"}]}`, conversation.ErrTooLarge, "10000 tools"},
		{"code as a name", `{"format":1,"bindings":[{"name":"a from 'x'; //","specifier":"m","export":"*"}]}`, conversation.ErrDamaged, "not a name"},
		{"bound twice", `{"format":1,"bindings":[{"name":"a","specifier":"m","export":"*"},{"name":"a","specifier":"n","export":"*"}]}`, conversation.ErrDamaged, "twice"},
		{"line break", `{"format":1,"bindings":[{"name":"a","specifier":"m\u2028","export":"*"}]}`, conversation.ErrDamaged, "names no module"},
		{"negative", `{"format":1,"counters":{"runs":-1}}`, conversation.ErrDamaged, "negative"},
		{"too long", `{"format":1,"x":"` + strings.Repeat(" ", conversation.MaxData) + `"}`, conversation.ErrTooLarge, "at most"},
		{"deep", `{"format":1,"x":` + strings.Repeat("[", 100_000), conversation.ErrDamaged, "depth"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := conversation.DecodeState([]byte(test.data))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("DecodeState: %.200v, want %v with %q", err, test.want, test.says)
			}
		})
	}
}

// What is wrong with stored data names the record, and says what to do.
func TestDamagedState(t *testing.T) {
	states := &conversation.States{Store: conversation.NewMemory(nil)}
	if err := states.Store.Save(t.Context(), &conversation.Record{Key: states.Key("a"), Data: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	const want = `conversation "a": damaged: unexpected end of JSON input; delete it to begin anew`
	if _, err := states.Load(t.Context(), "a"); err == nil || err.Error() != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
	if _, err := states.Update(t.Context(), "a", func(*conversation.State) error { return nil }); err == nil || err.Error() != want {
		t.Errorf("Update: %v, want %s", err, want)
	}
	if err := states.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := states.Update(t.Context(), "a", func(*conversation.State) error { return nil }); err != nil {
		t.Errorf("Update after Delete: %v", err)
	}
}

func FuzzDecodeState(f *testing.F) {
	for _, seed := range []string{
		`{"format":1}`, `{"format":2}`, `{"FORMAT":1,"Loaded":[{"ID":"a.b"}]}`, `{"format":1,"loaded":[{"id":"a.b","hash":"1"}],"loaded":null}`,
		`{"format":1,"bindings":[{"name":"sf","specifier":"./mcp/sf","export":"*","type":true}],"counters":{"runs":1,"run_time_ns":5}}`,
		`{"format":1,"created":"2026-11-20T10:00:00Z","later":{"a":[1,"\ud800"]}}`, `{"format":1,"\u017ftates":1,"bindingſ":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := conversation.DecodeState(data)
		if err != nil {
			return
		}
		encoded, err := s.Encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := conversation.DecodeState(encoded)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, encoded)
		}
		if diff := cmp.Diff(s, again, cmpopts.IgnoreUnexported(conversation.State{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read again it differs:\n%s", diff)
		}
		if twice, err := again.Encode(); err != nil || string(twice) != string(encoded) {
			t.Errorf("written again it differs: %v\n%s\n%s", err, encoded, twice)
		}
	})
}

func ExampleStates() {
	ctx := context.Background()
	states := &conversation.States{Store: conversation.NewMemory(nil)}
	_, err := states.Update(ctx, "thread-7", func(s *conversation.State) error {
		return s.Load(conversation.LoadedTool{ID: "salesforce.query"})
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	state, err := states.Load(ctx, "thread-7") // on any replica that has the store
	fmt.Println(state.LoadedIDs(), err)
	// Output: [salesforce.query] <nil>
}

// A store in a folder survives the process, and other processes may use it too.
func ExampleOpenFolder() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "conversations")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for _, tool := range []string{"crm.query", "crm.update"} {
		store, err := conversation.OpenFolder(dir) // as after a restart
		if err != nil {
			fmt.Println(err)
			return
		}
		states := &conversation.States{Store: store}
		state, err := states.Update(ctx, "thread-7", func(s *conversation.State) error {
			return s.Load(conversation.LoadedTool{ID: tool})
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(state.LoadedIDs())
	}
	// Output:
	// [crm.query]
	// [crm.query crm.update]
}

func TestOpen(t *testing.T) {
	store, err := conversation.Open(t.Context(), filepath.Join(t.TempDir(), "a"))
	if _, ok := store.(*conversation.Folder); !ok || err != nil {
		t.Errorf("a path: %T, %v", store, err)
	}
	for location, want := range map[string]string{
		"":                       "needs the path of a folder",
		"redis://:secret@host/0": `no store for "redis" URLs in this program`,
		"\x00":                   "conversations in",
	} {
		if _, err := conversation.Open(t.Context(), location); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q): %v, want %q", location, err, want)
		}
	}
	conversation.Register("test", func(context.Context, string) (conversation.Store, error) { return conversation.NewMemory(nil), nil })
	if store, err := conversation.Open(t.Context(), "test://x"); store == nil || err != nil {
		t.Errorf("a scheme that was registered: %v", err)
	}
}

// A host can keep records of its own beside the conversations.
func ExampleUpdate() {
	ctx := context.Background()
	store := conversation.NewMemory(nil)
	visits := conversation.Key{Kind: "visits", ID: "thread-7"}
	for range 2 {
		r, err := conversation.Update(ctx, store, visits, func(r *conversation.Record) error {
			r.Data = append(r.Data, '|')
			return nil
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s\n", r.Data)
	}
	// Output:
	// |
	// ||
}
