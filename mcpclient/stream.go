package mcpclient

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"time"
)

// The standalone stream of streamable HTTP carries what a server sends unasked:
// notifications, and questions to the host. MCP, "Listening for Messages from the
// Server": the client MAY issue an HTTP GET for it, and the server answers with an
// event stream or with 405. The SDK opens it during Connect, waits for the response
// headers, which some servers hold back until the first event, and ends the whole
// session when a stream without event ids has ended five times, which any proxy with
// an idle timeout brings about. So the SDK gets a stream at once that does not end,
// and what comes in the real one goes there.

// How long to wait before the stream is opened anew. Mutable for testing.
var (
	streamPauseMin = time.Second
	streamPauseMax = time.Minute
)

const (
	streamSteady = 30 * time.Second // a stream that lived so long was a good one
	maxEventID   = 1024
)

// A standalone feeds the SDK's stream from one real stream after the other.
type standalone struct {
	rt    *roundTripper
	req   *http.Request
	pipe  *io.PipeWriter
	last  string // id of the last event
	lived bool   // there was a stream
}

// isStandalone reports whether req opens the standalone stream, or what 2026-07-28 has in
// its place. One that resumes the answer to a call names the event to go on from.
func (rt *roundTripper) isStandalone(req *http.Request) bool {
	if !rt.unasked || req.Header.Get("Last-Event-ID") != "" {
		return false
	}
	return req.Method == http.MethodGet || req.Header.Get("Mcp-Method") == "subscriptions/listen"
}

// listen returns a stream that ends with the context of req, and with life.
func (rt *roundTripper) listen(req *http.Request) *http.Response {
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(rt.life, cancel)
	r, w := io.Pipe()
	s := &standalone{rt: rt, req: req.Clone(ctx), pipe: w}
	least, most := streamPauseMin, streamPauseMax
	go func() {
		defer cancel()
		defer stop()
		w.CloseWithError(s.run(ctx, least, most))
	}()
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body:   &body{ReadCloser: r, release: cancel},
	}
}

// run returns when ctx is done, and pauses between streams; a server without the stream
// is one on which nothing comes.
func (s *standalone) run(ctx context.Context, least, most time.Duration) error {
	for pause := least; ; pause = min(2*pause, most) {
		start := time.Now()
		if !s.once(ctx) {
			s.rt.mute()
			<-ctx.Done()
		}
		if time.Since(start) >= streamSteady {
			pause = least
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)): // not all clients at once
		}
	}
}

// once opens one stream and passes on its events. It reports false if there is no
// use in another one.
func (s *standalone) once(ctx context.Context) bool {
	out := s.req.Clone(ctx)
	if s.req.GetBody != nil {
		var err error
		if out.Body, err = s.req.GetBody(); err != nil {
			return false
		}
	}
	if s.last != "" {
		out.Header.Set("Last-Event-ID", s.last)
	}
	s.rt.decorate(out)
	if s.rt.auth != nil && s.rt.ours(out.URL) {
		token, err := s.rt.auth.send(ctx)
		if err != nil {
			return true
		}
		bear(out, token)
	}
	resp, err := s.rt.base.RoundTrip(out)
	if err != nil {
		if s.lived && isRefused(err) {
			s.rt.lost(s.rt.secrets.unreachable(err))
		}
		return true
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch code := resp.StatusCode; {
	case code == http.StatusOK && kind == "text/event-stream":
		s.rt.opened()
		s.lived = true
		_ = s.pass(resp.Body) // however it ended, another one may do better
		return true
	case code == http.StatusNotFound && s.lived:
		s.rt.lost(errSessionEnded)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusTooManyRequests:
		return true // the next request sees to it
	case code >= 500 && code != http.StatusNotImplemented:
		return true
	}
	return false
}

// pass passes on whole events: what is cut off by the end of a stream must not meet
// the beginning of the next one.
func (s *standalone) pass(from io.Reader) error {
	lines := bufio.NewReader(from)
	var event []byte
	line, id := 0, s.last // where the current line begins in event; the event's id
	for {
		part, err := lines.ReadSlice('\n')
		event = append(event, part...)
		switch {
		case len(event) > maxMessage:
			return fmt.Errorf("an event is larger than %d bytes", maxMessage)
		case err == bufio.ErrBufferFull:
			continue
		case err != nil:
			return err
		}
		text := bytes.TrimRight(event[line:], "\r\n")
		if value, ok := bytes.CutPrefix(text, []byte("id:")); ok && len(value) <= maxEventID {
			id = string(bytes.TrimSpace(value))
		}
		if line = len(event); len(text) > 0 {
			continue
		}
		if _, err := s.pipe.Write(event); err != nil {
			return err
		}
		event, line, s.last = event[:0], 0, id
	}
}
