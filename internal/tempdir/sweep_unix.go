//go:build unix

package tempdir

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/conductor/conductor/internal/filelock"
)

// lockFile is in each folder, and locked as long as its process lives.
const lockFile = ".conductor-lock"

// hold locks a folder. One that cannot be locked is never swept.
func hold(path string) (release func()) {
	unlock, err := tryLock(path)
	if err != nil {
		_ = os.Remove(filepath.Join(path, lockFile))
		return func() {}
	}
	return unlock
}

// tryLock locks a folder if nobody else has.
func tryLock(path string) (unlock func(), err error) {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return filelock.Lock(now, filepath.Join(path, lockFile))
}

const (
	// settled is how old a folder must be: one that was just made may not be locked yet.
	settled = time.Hour
	// maxSwept bounds what one process removes of others.
	maxSwept = 1000
)

var made = regexp.MustCompile(`^` + Prefix + `\d+$`)

// sweep removes the folders of this user below root whose processes are gone. What it
// cannot remove it leaves to another time.
func sweep(root string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return
	}
	swept := 0
	for _, e := range entries {
		if swept == maxSwept || !e.IsDir() || !made.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(root, e.Name())
		if left(path) {
			_ = os.RemoveAll(path)
			swept++
		}
	}
}

// left reports whether a folder is one of ours that nobody holds any more.
func left(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < settled {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Getuid() {
		return false
	}
	if info, err := os.Lstat(filepath.Join(path, lockFile)); err != nil || !info.Mode().IsRegular() {
		return false // something else of that name
	}
	unlock, err := tryLock(path)
	if err == nil {
		unlock()
	}
	return err == nil
}
