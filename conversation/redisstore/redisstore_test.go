package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/conversation/redisstore"
	"github.com/conductor/conductor/conversation/storetest"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/redistest"
)

func open(t testing.TB, url string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
	return s
}

func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opts.ContextTimeoutEnabled = true
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func key(id string) conversation.Key { return conversation.Key{Kind: "test", ID: id} }

func TestStore(t *testing.T) {
	leaktest.Check(t)
	url := redistest.Start(t)
	storetest.Run(t, func(t *testing.T) func() conversation.Store {
		if err := client(t, url).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		return func() conversation.Store { return open(t, url) }
	})
}

// Two stores in one database know nothing of each other, and a prefix in another slot
// works too.
func TestPrefix(t *testing.T) {
	c := client(t, redistest.Start(t))
	a, b := redisstore.New(c, nil), redisstore.New(c, &redisstore.Options{Prefix: "{b}/"})
	for _, s := range []*redisstore.Store{a, b} {
		if err := s.Save(t.Context(), &conversation.Record{Key: key("x")}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err) // the client is not the store's
		}
	}
	if err := a.Delete(t.Context(), key("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), key("x")); err != nil {
		t.Error(err)
	}
	for _, name := range c.Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(name, "{b}/") {
			t.Errorf("the deleted record left the key %q", name)
		}
	}
}

// What has expired does not stay in the lists of ids for ever.
func TestExpiredIDsGo(t *testing.T) {
	url := redistest.Start(t)
	s, c := open(t, url), client(t, url)
	for i := range 50 {
		if err := s.Save(t.Context(), &conversation.Record{Key: key(fmt.Sprint(i)), Expires: time.Now().Add(time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(10 * time.Millisecond)
	if err := s.Save(t.Context(), &conversation.Record{Key: key("last")}); err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"_ids:test", "_expiring:test"} {
		if n := c.ZCard(t.Context(), redisstore.DefaultPrefix+set).Val(); n > 1 {
			t.Errorf("%s has %d ids, want that of the last record at most", set, n)
		}
	}
}

// What is stored there is not believed.
func TestHostileRecords(t *testing.T) {
	url := redistest.Start(t)
	s, c := open(t, url), client(t, url)
	name := redisstore.DefaultPrefix + "test:a"
	for what, fields := range map[string][]any{
		"no data":          {"v", "1", "u", "1", "e", "0"},
		"no number":        {"v", "x", "u", "1", "e", "0", "d", ""},
		"a negative one":   {"v", "-1", "u", "1", "e", "0", "d", ""},
		"no time":          {"v", "1", "e", "0", "d", ""},
		"more than can be": {"v", "1", "u", "1", "e", "0", "d", strings.Repeat("x", conversation.MaxData+1)},
	} {
		c.Del(t.Context(), name)
		if err := c.HSet(t.Context(), name, fields...).Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), key("a")); !errors.Is(err, conversation.ErrDamaged) || !strings.Contains(err.Error(), `test "a"`) {
			t.Errorf("%s: %v, want ErrDamaged and the record", what, err)
		}
	}
	if err := s.Delete(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	c.Set(t.Context(), name, "text", 0)
	if _, err := s.Load(t.Context(), key("a")); err == nil || errors.Is(err, conversation.ErrNotFound) {
		t.Errorf("a key of another type: %v", err)
	}
}

// forgetful passes everything on, and cuts the connection instead of an answer when it
// is told to.
func forgetful(t *testing.T, address string, cut *atomic.Bool) (proxy string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", address)
			if err != nil {
				in.Close()
				return
			}
			go func() {
				_, _ = io.Copy(out, in)
				out.Close()
			}()
			go func() {
				defer in.Close()
				buffer := make([]byte, 64<<10)
				for {
					n, err := out.Read(buffer)
					if err != nil || cut.Swap(false) {
						return
					}
					if _, err := in.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// A save whose answer was lost is sent again by the client: it must neither be done
// twice nor be taken for somebody else's.
func TestLostAnswer(t *testing.T) {
	url := redistest.Start(t)
	address := strings.TrimSuffix(strings.TrimPrefix(url, "redis://"), "/0")
	var cut atomic.Bool
	s := open(t, "redis://"+forgetful(t, address, &cut)+"/0")
	r := &conversation.Record{Key: key("a")}
	for i := range 20 {
		if err := s.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		cut.Store(true)
		r.Data = fmt.Append(nil, i)
		if err := s.Save(t.Context(), r); err != nil {
			t.Fatalf("Save number %d, whose answer was lost: %v", i, err)
		}
		if cut.Load() {
			t.Fatal("no answer was lost")
		}
		if got, err := s.Load(t.Context(), key("a")); err != nil || got.Version != r.Version || string(got.Data) != fmt.Sprint(i) {
			t.Errorf("stored is %+v, %v; want version %d", got, err, r.Version)
		}
	}
}

// While Redis is away that is an error, in a bounded time; when it is back, what it had
// answered for is there, and the store goes on by itself.
func TestServerGoesAway(t *testing.T) {
	leaktest.Check(t)
	server := redistest.StartLasting(t)
	s := open(t, server.URL)
	r := &conversation.Record{Key: key("a"), Data: []byte("1")}
	if err := s.Save(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	failed := *r
	if err := s.Save(t.Context(), &failed); err == nil || errors.Is(err, conversation.ErrConflict) || !strings.Contains(err.Error(), `test "a": redis: `) {
		t.Errorf("Save without a server: %v", err)
	}
	if _, err := s.Load(t.Context(), key("a")); err == nil || errors.Is(err, conversation.ErrNotFound) {
		t.Errorf("Load without a server: %v", err)
	}
	if _, err := s.List(t.Context(), "test", "", 0); err == nil {
		t.Error("List without a server succeeds")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Load(ctx, key("a")); err == nil {
		t.Errorf("Load with a context that ends: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context(), key("a"))
	if err != nil || got.Version != r.Version || string(got.Data) != "1" {
		t.Fatalf("after a restart: %+v, %v; want version %d", got, err, r.Version)
	}
	if err := s.Save(t.Context(), r); err != nil {
		t.Errorf("Save after a restart: %v", err)
	}
}

func TestOpen(t *testing.T) {
	leaktest.Check(t)
	for _, test := range []struct{ url, want string }{
		{"redis://user:secret@127.0.0.1:1/0", "redis at 127.0.0.1:1: dial tcp 127.0.0.1:1: "},
		{"redis://user:secret@%zz", "the URL is wrong"},
		{"redis://:secret@localhost/x", "the URL is wrong"},
	} {
		s, err := conversation.Open(t.Context(), test.url)
		if s != nil || err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%q) = %v, %v; want %q without the password", test.url, s, err, test.want)
		}
	}
	s, err := conversation.Open(t.Context(), redistest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

// Replicas that share a Redis share their conversations.
func Example() {
	ctx := context.Background()
	store, err := redisstore.Open(ctx, "redis://localhost:6379/0")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	states := &conversation.States{Store: store}
	state, err := states.Update(ctx, "thread-7", func(s *conversation.State) error {
		return s.Load(conversation.LoadedTool{ID: "crm.query"})
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.LoadedIDs())
}

func BenchmarkUpdate(b *testing.B) {
	states := &conversation.States{Store: open(b, redistest.Start(b))}
	for i := 0; b.Loop(); i++ {
		if _, err := states.Update(b.Context(), "a", func(s *conversation.State) error {
			return s.Load(conversation.LoadedTool{ID: fmt.Sprintf("s.t%d", i%20), Hash: "0123456789abcdef", Signature: strings.Repeat("x", 150)})
		}); err != nil {
			b.Fatal(err)
		}
	}
}
