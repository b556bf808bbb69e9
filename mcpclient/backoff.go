package mcpclient

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = time.Hour

// backoff returns how long to wait after so many failures in a row: twice as long each
// time, up to a ceiling, less up to a half of it at random, so that many clients of one
// server do not come back together.
func (o *Options) backoff(failures int) time.Duration {
	d := o.MaxBackoff
	if shift := failures - 1; shift < 32 {
		if grown := o.MinBackoff << shift; grown > 0 && grown < d {
			d = grown
		}
	}
	return d - rand.N(d/2+1)
}

// retryAfter returns how long the server asked to be left alone.
func retryAfter(err error, now time.Time) time.Duration {
	var status *statusError
	if !errors.As(err, &status) || status.after == "" {
		return 0
	}
	return min(parseRetryAfter(status.after, now), maxRetryAfter)
}

// parseRetryAfter reads the header of RFC 9110, 10.2.3: seconds or a date. What is
// neither, or in the past, is no time at all.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// permanentError is what another attempt would not change: somebody has to do something.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// permanent reports whether an attempt failed for a reason that somebody has to remove.
func permanent(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.code == http.StatusUnauthorized || status.code == http.StatusForbidden
	}
	var p *permanentError
	return errors.As(err, &p)
}

// once reports whether the server can be connected only once.
func (s *Server) once() bool {
	switch s.Transport.(type) {
	case nil, *mcp.StreamableClientTransport, *mcp.SSEClientTransport:
		return false
	}
	return true
}
