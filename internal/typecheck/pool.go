package typecheck

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A slot of c.slots goes with a server through its work: whoever has the slot takes an
// idle server or starts one, and gives both back. So there never are more servers than
// slots, and a server that is being replaced keeps nobody from the others.

// begin registers work that Close waits for.
func (c *Checker) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Err() != nil {
		return ErrClosed
	}
	c.work.Add(1)
	return nil
}

func (c *Checker) slot(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closing.Done():
		return ErrClosed
	}
}

// run gives a program to a server.
func (c *Checker) run(ctx context.Context, l *layout) ([]message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	if err := c.slot(ctx); err != nil {
		c.work.Done()
		return nil, err
	}
	type outcome struct {
		said []message
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		defer c.work.Done()
		defer func() { <-c.slots }()
		s, said, err := c.attempt(l)
		done <- outcome{said, err}
		// The caller need not wait for this.
		c.giveBack(s)
	}()
	select {
	case o := <-done:
		return o.said, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attempt checks a program, on another server if the first one fails. It returns the
// server if that can go on.
func (c *Checker) attempt(l *layout) (s *server, said []message, err error) {
	for range 2 {
		if s, err = c.take(l); err == nil {
			said, err = c.ask(s, l)
			if err == nil {
				return s, said, nil
			}
			c.discard(s)
		}
		if c.closing.Err() != nil {
			return nil, nil, ErrClosed
		}
		if errors.Is(err, ErrTooComplex) {
			return nil, nil, err
		}
		c.opts.Logger.Warn("typecheck: a language server failed", "error", err)
	}
	return nil, nil, fmt.Errorf("%w: the language server failed twice: %w", ErrUnavailable, err)
}

// ask lets a server check a program in the time that there is for it.
func (c *Checker) ask(s *server, l *layout) ([]message, error) {
	done, inTime := make(chan struct{}), make(chan bool)
	go func() {
		ended := s.endsWithin(c.opts.Timeout, done)
		if !ended {
			s.kill()
		}
		inTime <- ended
	}()
	said, err := s.check(l)
	close(done)
	switch {
	case !<-inTime:
		return nil, fmt.Errorf("%w: it took longer than %v; use simpler types", ErrTooComplex, c.opts.Timeout)
	case err != nil:
		return nil, s.failure(err)
	}
	return said, nil
}

// maxTimeouts is how many times over a server may have the time for a check.
const maxTimeouts = 4

// endsWithin waits until a check is done or its time is over. The time counts as long as
// the server can work: where the machine has no processor for it, the program is not what
// takes long.
func (s *server) endsWithin(timeout time.Duration, done <-chan struct{}) bool {
	for range maxTimeouts {
		before, known := processorTime(s.pid)
		select {
		case <-done:
			return true
		case <-time.After(timeout):
		}
		after, ok := processorTime(s.pid)
		if used := after - before; !known || !ok || used > timeout/2 || used < timeout/100 {
			return false // by its own doing, or because it hangs
		}
	}
	return false
}

// take returns the idle server that suits best, or a new one.
func (c *Checker) take(l *layout) (*server, error) {
	var reads []string
	if l.reads != "" {
		reads = []string{l.reads}
	}
	c.mu.Lock()
	best, score := -1, -1
	for i, s := range c.idle {
		points := 0
		if l.reads == "" || slices.Contains(s.reads, l.reads) {
			points++
		}
		if s.has(l.key) {
			points++
		}
		if points > score {
			best, score = i, points
		}
	}
	var s *server
	if best >= 0 {
		s = c.idle[best]
		c.idle = slices.Delete(c.idle, best, best+1)
	}
	c.mu.Unlock()
	if s != nil {
		if score > 0 {
			return s, nil
		}
		// What a process may read is decided when it starts.
		reads = append(slices.Clone(s.reads), l.reads)
		reads = reads[max(0, len(reads)-maxReads):]
		c.discard(s)
	}
	return c.startNext(reads)
}

func (c *Checker) startNext(reads []string) (*server, error) {
	// Folders that are gone meanwhile would keep the jail from being built.
	reads = slices.DeleteFunc(slices.Clone(reads), func(dir string) bool {
		_, err := os.Stat(dir)
		return err != nil
	})
	return c.start(filepath.Join(c.dir.Path, rand.Text()), reads)
}

// giveBack makes the server idle. If it is worn, or none is left (nil), there is a
// fresh one in its place, which has done its first and slowest check.
func (c *Checker) giveBack(s *server) {
	if s == nil || s.worn(c.opts.MemoryMB) {
		var reads []string
		if s != nil {
			reads = s.reads
			c.discard(s)
		}
		if c.closing.Err() != nil {
			return
		}
		var err error
		if s, err = c.fresh(reads); err != nil {
			if c.closing.Err() == nil {
				c.opts.Logger.Warn("typecheck: starting a language server", "error", err)
			}
			return // the next check tries again
		}
	}
	c.mu.Lock()
	if c.closing.Err() == nil && len(c.idle) < c.opts.Servers {
		c.idle = append(c.idle, s)
		s = nil
	}
	c.mu.Unlock()
	if s != nil {
		c.discard(s)
	}
}

// fresh starts a server and lets it check nothing, for which it reads the library.
func (c *Checker) fresh(reads []string) (*server, error) {
	s, err := c.startNext(reads)
	if err != nil {
		return nil, err
	}
	nothing, err := newLayout(&Program{Wrapped: "export {};\n"})
	if err == nil {
		_, err = c.ask(s, nothing)
	}
	if err != nil {
		c.discard(s)
		return nil, err
	}
	return s, nil
}

// Warm starts all servers, so that the first checks need not wait for that.
func (c *Checker) Warm(ctx context.Context) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.work.Done()
	for range c.opts.Servers {
		if err := c.slot(ctx); err != nil {
			return err
		}
		c.mu.Lock()
		enough := len(c.running) >= c.opts.Servers
		c.mu.Unlock()
		if !enough {
			s, err := c.fresh(nil)
			if err != nil {
				<-c.slots
				if c.closing.Err() != nil {
					return ErrClosed
				}
				return fmt.Errorf("%w: %w", ErrUnavailable, err)
			}
			c.giveBack(s)
		}
		<-c.slots
	}
	return nil
}

// register makes a server known to Close. It returns false if that is on already.
func (c *Checker) register(s *server) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[s] = true
	return c.closing.Err() == nil
}

// discard ends a server for good.
func (c *Checker) discard(s *server) {
	c.mu.Lock()
	delete(c.running, s)
	c.mu.Unlock()
	if err := s.close(); err != nil {
		c.opts.Logger.Warn("typecheck: removing the files of a language server", "error", err)
	}
}
