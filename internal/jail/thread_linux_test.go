package jail

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnThread: never on the main thread, and never two on one.
func TestOnThread(t *testing.T) {
	const n = 300
	var mu sync.Mutex
	seen := map[int]int{}
	release := make(chan struct{})
	var running, ended sync.WaitGroup
	for range n {
		running.Add(1)
		ended.Add(1)
		onThread(func() {
			defer ended.Done()
			mu.Lock()
			seen[unix.Gettid()]++
			mu.Unlock()
			running.Done()
			<-release
		})
	}
	running.Wait()
	close(release)
	ended.Wait()
	if len(seen) != n {
		t.Errorf("%d threads for %d functions that ran at the same time", len(seen), n)
	}
	if seen[unix.Getpid()] > 0 {
		t.Error("one ran on the main thread")
	}
}
