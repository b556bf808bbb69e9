package mcpclient

import "sync"

// stderrTail is how much of a server's stderr is kept.
const stderrTail = 2 << 10

// ring keeps the last stderrTail bytes that were written to it. It is safe for
// concurrent use.
type ring struct {
	mu  sync.Mutex
	buf []byte
	cut bool // earlier bytes were dropped
}

// Write implements io.Writer. It never fails.
func (r *ring) Write(p []byte) (int, error) {
	n := len(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(p) > stderrTail {
		p, r.cut = p[len(p)-stderrTail:], true
	}
	r.buf = append(r.buf, p...)
	if over := len(r.buf) - stderrTail; over > 0 {
		r.buf, r.cut = append(r.buf[:0], r.buf[over:]...), true
	}
	return n, nil
}

// String returns what is kept, safe to show.
func (r *ring) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := clean(string(r.buf), stderrTail)
	if r.cut {
		s = "…" + s
	}
	return s
}

// reset forgets what was written, for a process that replaces another.
func (r *ring) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf, r.cut = nil, false
}
