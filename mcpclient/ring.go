package mcpclient

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
)

// stderrTail is how much of a server's stderr is kept.
const stderrTail = 2 << 10

// ring keeps the last stderrTail bytes that were written to it. It is safe for
// concurrent use.
type ring struct {
	secrets *secrets

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
	if r.cut {
		return "…" + clean(r.secrets.hideTail(string(r.buf)), stderrTail)
	}
	return clean(r.secrets.hide(string(r.buf)), stderrTail)
}

// reset forgets what was written, for a process that replaces another.
func (r *ring) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buf, r.cut = nil, false
}

// maxLogLine bounds a line of stderr that is logged, and maxRawLine what is read of it
// to find secrets in.
const (
	maxLogLine = 1 << 10
	maxRawLine = 64 << 10
)

// lineLogger logs what is written to it, line by line.
type lineLogger struct {
	logger  *slog.Logger
	secrets *secrets
	line    []byte
}

// Write implements io.Writer. It never fails.
func (l *lineLogger) Write(p []byte) (int, error) {
	n := len(p)
	if !l.logger.Enabled(context.Background(), slog.LevelDebug) {
		return n, nil
	}
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		l.line = append(l.line, part[:min(len(part), maxRawLine-len(l.line))]...)
		if end < 0 {
			break
		}
		if text := clean(l.secrets.hide(string(l.line)), maxLogLine); text != "" {
			l.logger.Debug("MCP server wrote", "stderr", text)
		}
		l.line, p = l.line[:0], p[end+1:]
	}
	return n, nil
}
