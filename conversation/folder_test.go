package conversation_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/conversation/storetest"
	"github.com/conductor/conductor/internal/leaktest"
)

func openFolder(t testing.TB, dir string) *conversation.Folder {
	t.Helper()
	store, err := conversation.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestFolder(t *testing.T) {
	leaktest.Check(t)
	storetest.Run(t, func(t *testing.T) func() conversation.Store {
		dir := filepath.Join(t.TempDir(), "not", "there")
		return func() conversation.Store { return openFolder(t, dir) }
	})
}

// files returns the files below a folder whose name ends so.
func files(t testing.TB, dir, suffix string) []string {
	t.Helper()
	var found []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFolderDamage(t *testing.T) {
	dir := t.TempDir()
	store := openFolder(t, dir)
	r := &conversation.Record{Key: key("a"), Data: []byte(`{"a": 1}`)}
	for _, record := range []*conversation.Record{r, {Key: key("b")}} {
		if err := store.Save(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	var file, other string
	for _, path := range files(t, dir, ".record") {
		if strings.HasPrefix(filepath.Base(path), "a.") {
			file = path
		} else {
			other = path
		}
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(strings.Replace(string(whole), `"version":`, `"version":1`, 1))
	for _, test := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"empty", nil, conversation.ErrDamaged, "checksum"},
		{"torn", whole[:len(whole)-1], conversation.ErrDamaged, "checksum"},
		{"torn in the header", whole[:30], conversation.ErrDamaged, "checksum"},
		{"zeros", make([]byte, len(whole)), conversation.ErrDamaged, "checksum"},
		{"another version", flipped, conversation.ErrDamaged, "checksum"},
		{"more", append(whole, 'x'), conversation.ErrDamaged, "checksum"},
		{"of another record", foreign, conversation.ErrDamaged, `that of test "b"`},
		{"newer", []byte("conductor record 2 whatever\n"), conversation.ErrFormat, "newer version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(file, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Load(t.Context(), key("a"))
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), `test "a"`) {
				t.Errorf("Load: %v, want %v with %q and the file", err, test.want, test.says)
			}
			if err := store.Save(t.Context(), r); !errors.Is(err, test.want) {
				t.Errorf("Save: %v, want %v", err, test.want)
			}
			if page, err := store.List(t.Context(), "test", "", 0); err != nil || len(page.Records) == 0 {
				t.Errorf("List: %+v, %v, want the others", page, err)
			}
		})
	}
	// What a killed process leaves is no record, and in nobody's way.
	if err := os.WriteFile(file+".new", []byte("conductor"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), key("a")); err != nil {
		t.Fatal(err)
	}
	r.Version = 0
	if err := store.Save(t.Context(), r); err != nil {
		t.Errorf("Save after Delete: %v", err)
	}
	if left := files(t, dir, ".new"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Who may read the conversations of others is not for the umask to decide.
func TestFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	store := openFolder(t, dir)
	if err := store.Save(t.Context(), &conversation.Record{Key: key("a")}); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 && filepath.Base(path) != "lock" {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Other files in the folder are in nobody's way.
func TestFolderWithOtherFiles(t *testing.T) {
	dir := t.TempDir()
	store := openFolder(t, dir)
	if err := store.Save(t.Context(), &conversation.Record{Key: key("a")}); err != nil {
		t.Fatal(err)
	}
	shard := filepath.Dir(files(t, dir, ".record")[0])
	for _, path := range []string{filepath.Join(dir, ".DS_Store"), filepath.Join(dir, "test", ".DS_Store"), filepath.Join(dir, "test", "notes.record"), filepath.Join(shard, "x.record")} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := store.List(t.Context(), "test", "", 0); err != nil || len(page.Records) != 1 {
		t.Errorf("List: %+v, %v", page, err)
	}
}

// What has expired makes room when something is made beside it.
func TestFolderSweeps(t *testing.T) {
	dir := t.TempDir()
	store := openFolder(t, dir)
	for i := range 200 {
		r := &conversation.Record{Key: key(conversation.NewID()), Expires: time.Now().Add(time.Millisecond)}
		if err := store.Save(t.Context(), r); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	time.Sleep(5 * time.Millisecond)
	before := len(files(t, dir, ".record"))
	store = openFolder(t, dir) // another process, which has not looked yet
	for range 300 {
		if err := store.Save(t.Context(), &conversation.Record{Key: key(conversation.NewID())}); err != nil {
			t.Fatal(err)
		}
	}
	if after := len(files(t, dir, ".record")); after > before/2+300 {
		t.Errorf("%d files of %d that have expired are still there", after-300, before)
	}
}

func FuzzFolderFile(f *testing.F) {
	dir := f.TempDir()
	store := openFolder(f, dir)
	if err := store.Save(f.Context(), &conversation.Record{Key: key("a"), Data: []byte("{}")}); err != nil {
		f.Fatal(err)
	}
	file := files(f, dir, ".record")[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("conductor record 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"))
	f.Add([]byte("conductor record 2 \n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := store.Load(t.Context(), key("a"))
		if err != nil && !errors.Is(err, conversation.ErrDamaged) && !errors.Is(err, conversation.ErrFormat) && !errors.Is(err, conversation.ErrNotFound) {
			t.Fatal(err)
		}
		if err == nil && (r.Key != key("a") || r.Version <= 0) {
			t.Errorf("read %+v", r)
		}
	})
}

func BenchmarkFolderUpdate(b *testing.B) { benchmarkUpdate(b, openFolder(b, b.TempDir())) }

func BenchmarkMemoryUpdate(b *testing.B) { benchmarkUpdate(b, conversation.NewMemory(nil)) }

// benchmarkUpdate loads a tool in a conversation that has twenty.
func benchmarkUpdate(b *testing.B, store conversation.Store) {
	states := &conversation.States{Store: store}
	for i := 0; b.Loop(); i++ {
		if _, err := states.Update(b.Context(), "a", func(s *conversation.State) error {
			return s.Load(conversation.LoadedTool{ID: "s.t" + strconv.Itoa(i%20), Hash: "0123456789abcdef", Signature: strings.Repeat("x", 150)})
		}); err != nil {
			b.Fatal(err)
		}
	}
}
