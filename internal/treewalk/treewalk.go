// Package treewalk goes through folders in which programs are at work.
package treewalk

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"
)

// Walk calls visit for all that is in a folder, each folder before what is in it, in
// the order of the names. Paths are relative to the folder, with slashes. They can be
// longer than what the operating system accepts, and what they stand for may have become
// something else since: only root is to be asked about them, and [IsGone] is no mistake.
// visit may return [fs.SkipDir] for a folder, and [fs.SkipAll]. Links are not followed.
func Walk(dir string, visit func(root *os.Root, path string, entry fs.DirEntry) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := readDir(root, ".")
	if err == nil {
		err = walk(root, ".", entries, visit)
	}
	if err == fs.SkipAll {
		return nil
	}
	return err
}

func walk(root *os.Root, folder string, entries []fs.DirEntry, visit func(*os.Root, string, fs.DirEntry) error) error {
	for _, e := range entries {
		at := path.Join(folder, e.Name())
		err := visit(root, at, e)
		if err == nil && e.IsDir() {
			var inside []fs.DirEntry
			if inside, err = readDir(root, at); IsGone(err) {
				continue
			} else if err == nil {
				err = walk(root, at, inside, visit)
			}
		}
		if err != nil && err != fs.SkipDir {
			return err
		}
	}
	return nil
}

func readDir(root *os.Root, folder string) ([]fs.DirEntry, error) {
	f, err := root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}

// IsGone tells whether something is no longer there, or no longer a folder.
func IsGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
