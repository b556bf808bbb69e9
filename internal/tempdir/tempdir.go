// Package tempdir makes temporary folders that are removed even if their process is
// killed: by a later process that makes one.
package tempdir

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/conductor/conductor/internal/filelock"
)

// Prefix begins the names of all folders.
const Prefix = "conductor-"

// lockFile is in each folder, locked as long as its process lives.
const lockFile = "lock"

// A Dir is a temporary folder.
type Dir struct {
	// Path is absolute and has no symbolic link in it.
	Path   string
	unlock func()
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
	d := &Dir{Path: path, unlock: func() {}}
	unlock, err := filelock.Lock(context.Background(), filepath.Join(path, lockFile))
	if err == nil {
		d.unlock = unlock
		d.Path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return nil, errors.Join(err, d.Remove())
	}
	return d, nil
}

// Remove removes the folder and all that is in it.
func (d *Dir) Remove() error {
	d.unlock()
	return os.RemoveAll(d.Path)
}
