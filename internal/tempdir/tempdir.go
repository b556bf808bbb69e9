// Package tempdir makes temporary folders that are removed even if their process is
// killed: by a later process that makes one.
package tempdir

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// Prefix begins the names of all folders; digits follow.
const Prefix = "conductor-"

// A Dir is a temporary folder.
type Dir struct {
	// Path is absolute and has no symbolic link in it.
	Path    string
	release func()
}

var sweepOnce sync.Once

// Make makes a folder for the owner alone. The first call of a process also removes those
// that were left by processes which are gone, where the system tells which these are.
func Make() (*Dir, error) {
	sweepOnce.Do(func() { sweep(os.TempDir()) })
	path, err := os.MkdirTemp("", Prefix)
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path, release: hold(path)}
	if d.Path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return d, nil
}

// Remove removes the folder and all that is in it.
func (d *Dir) Remove() error {
	d.release()
	return os.RemoveAll(d.Path)
}
