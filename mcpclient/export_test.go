package mcpclient

import (
	"bytes"
	"io"
	"time"
)

// SetGraces shortens the steps of ending a process and returns a function that
// restores them.
func SetGraces(stdin, term time.Duration) (restore func()) {
	oldStdin, oldTerm := stdinGrace, termGrace
	stdinGrace, termGrace = stdin, term
	return func() { stdinGrace, termGrace = oldStdin, oldTerm }
}

// SetStreamPauses shortens the time between standalone streams and returns a function
// that restores it.
func SetStreamPauses(least, most time.Duration) (restore func()) {
	oldLeast, oldMost := streamPauseMin, streamPauseMax
	streamPauseMin, streamPauseMax = least, most
	return func() { streamPauseMin, streamPauseMax = oldLeast, oldMost }
}

// StatusError is the error of a request that was refused by its HTTP status.
func StatusError(code int, retryAfter string) error {
	return &statusError{code: code, after: retryAfter}
}

// SetPingPatience shortens how long a ping may go unanswered and returns a function that
// restores it.
func SetPingPatience(d time.Duration) (restore func()) {
	old := pingPatience
	pingPatience = d
	return func() { pingPatience = old }
}

// Suspect has a server pinged, as a call does that had no answer for long.
func Suspect(c *Client, server string) {
	if conn, err := c.find(server); err == nil {
		ask(conn.suspected)
	}
}

// PassEvents returns what of a standalone stream comes through, and the last id.
func PassEvents(data []byte) (passed []byte, id string) {
	r, w := io.Pipe()
	s := &standalone{pipe: w}
	go func() { w.CloseWithError(s.pass(bytes.NewReader(data))) }()
	passed, _ = io.ReadAll(r) // the error says how the stream ended
	return passed, s.last
}
