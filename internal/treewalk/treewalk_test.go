package treewalk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/treewalk"
)

func walk(t *testing.T, dir string, visit func(path string) error) []string {
	t.Helper()
	var seen []string
	err := treewalk.Walk(dir, func(_ *os.Root, path string, _ fs.DirEntry) error {
		seen = append(seen, path)
		return visit(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	for _, folder := range []string{"b/c", "d/e", "f/g", "h"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := walk(t, dir, func(path string) error {
		switch path {
		case "b": // becomes a file
			must(os.RemoveAll(filepath.Join(dir, "b")))
			must(os.WriteFile(filepath.Join(dir, "b"), nil, 0o600))
		case "d":
			must(os.RemoveAll(filepath.Join(dir, "d")))
		case "f":
			return fs.SkipDir
		}
		return nil
	})
	if diff := cmp.Diff([]string{"b", "d", "f", "h"}, seen); diff != "" {
		t.Error(diff)
	}
	if seen := walk(t, dir, func(string) error { return fs.SkipAll }); len(seen) != 1 {
		t.Errorf("%q after SkipAll", seen)
	}
	if err := treewalk.Walk(filepath.Join(dir, "b"), nil); err == nil {
		t.Error("a file was walked through")
	}
}

// A path may be longer than what the operating system accepts.
func TestWalkDeep(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	path := strings.Repeat(strings.Repeat("d", 200)+"/", 30) + "end"
	if err := root.MkdirAll(path, 0o700); err != nil {
		t.Skip(err)
	}
	seen := walk(t, dir, func(string) error { return nil })
	if len(seen) != 31 || seen[30] != path {
		t.Errorf("%d folders", len(seen))
	}
}
