package mcpclient

import "time"

// SetGraces shortens the steps of ending a process and returns a function that
// restores them.
func SetGraces(stdin, term time.Duration) (restore func()) {
	oldStdin, oldTerm := stdinGrace, termGrace
	stdinGrace, termGrace = stdin, term
	return func() { stdinGrace, termGrace = oldStdin, oldTerm }
}
