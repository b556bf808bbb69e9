//go:build !unix

package filelock

import (
	"context"
	"path/filepath"
	"sync"
)

var (
	mu   sync.Mutex
	held = map[string]chan struct{}{} // a channel of one by path: full is locked
)

func lock(ctx context.Context, path string) (func(), error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	mu.Lock()
	slot := held[path]
	if slot == nil {
		slot = make(chan struct{}, 1)
		held[path] = slot
	}
	mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
