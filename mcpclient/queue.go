package mcpclient

import (
	"context"
	"errors"
	"sync"
)

// maxQueued bounds the calls that wait for a server.
const maxQueued = 4096

var errQueueFull = errors.New("too many calls are waiting for this server; make fewer at the same time")

// queue lets a number of calls in at the same time. Of those that wait, the
// conversations take turns: one that makes a thousand calls does not hold up another
// that makes one.
type queue struct {
	mu      sync.Mutex
	free    int
	waiting int
	lines   map[string][]chan struct{} // of each conversation, first come first
	order   []string                   // of the conversations with a line; the first is next
}

func newQueue(limit int) *queue {
	return &queue{free: limit, lines: map[string][]chan struct{}{}}
}

// enter waits for its turn. The caller must leave if there is no error.
func (q *queue) enter(ctx context.Context, conversation string) error {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.mu.Unlock()
		return nil
	}
	if q.waiting >= maxQueued {
		q.mu.Unlock()
		return errQueueFull
	}
	turn := make(chan struct{})
	if len(q.lines[conversation]) == 0 {
		q.order = append(q.order, conversation)
	}
	q.lines[conversation] = append(q.lines[conversation], turn)
	q.waiting++
	q.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		if !q.withdraw(conversation, turn) { // it was let in at the same moment
			q.leave()
		}
		return context.Cause(ctx)
	}
}

// leave lets the next one in.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		q.free++
		return
	}
	conversation := q.order[0]
	q.order = q.order[1:]
	line := q.lines[conversation]
	close(line[0])
	q.waiting--
	if q.lines[conversation] = line[1:]; len(line) > 1 {
		q.order = append(q.order, conversation)
	} else {
		delete(q.lines, conversation)
	}
}

// withdraw takes a place in a line away. It reports false if there is none any more.
func (q *queue) withdraw(conversation string, turn chan struct{}) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.lines[conversation]
	for i, other := range line {
		if other != turn {
			continue
		}
		q.waiting--
		if len(line) > 1 {
			q.lines[conversation] = append(line[:i:i], line[i+1:]...)
			return true
		}
		delete(q.lines, conversation)
		for j, name := range q.order {
			if name == conversation {
				q.order = append(q.order[:j], q.order[j+1:]...)
				break
			}
		}
		return true
	}
	return false
}
