package mcpclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// protocolLegacy is the newest revision that begins with initialize.
const protocolLegacy = "2025-11-25"

// probePatience is how long the SDK's question for a newer revision,
// server/discover, may go unanswered before initialize is tried. Servers that
// drop what they do not know would else never connect.
const probePatience = 10 * time.Second

// closeGrace is how long a session may take to end in order.
const closeGrace = time.Second

// link is one established (or failed) connection: session, transport and, for
// stdio, the process. It is used once; reconnecting makes a new one.
type link struct {
	life context.Context // ends the transport, whatever it does
	end  context.CancelFunc

	tap     *tap         // nil for streamable HTTP
	http    *http.Client // nil without HTTP
	proc    *process     // nil without a process
	session *mcp.ClientSession

	handshake *exchange     // of initialize; nil before it was sent
	gone      chan struct{} // closed when the session is over
	lost      error         // why; valid after gone
	settled   chan struct{} // closed when the state of the connection followed
	reason    error         // why, for people; valid after settled

	close func() error  // see shutdown; runs once
	ended chan struct{} // closed at the end of shutdown
}

// dial starts what s needs and performs the handshake. If it fails, the link is
// returned too and must be closed.
func dial(ctx context.Context, s *Server, o *Options, version string, tail *ring) (*link, error) {
	l := &link{gone: make(chan struct{}), settled: make(chan struct{}), ended: make(chan struct{})}
	// Not derived from ctx: the connection lives longer than connecting takes.
	// (The SDK ties the event stream of an SSE server to the context.)
	l.life, l.end = context.WithCancel(context.Background())
	l.close = sync.OnceValue(l.shutdown)
	transport, err := l.transport(s, tail)
	if err != nil {
		return l, err
	}
	stop := context.AfterFunc(ctx, l.abort)
	defer stop()
	client := l.newClient(s, o)
	l.session, err = client.Connect(l.life, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		return l, err
	}
	go func() {
		l.lost = l.session.Wait()
		close(l.gone)
	}()
	if err := ctx.Err(); err != nil {
		return l, err
	}
	return l, nil
}

// transport returns the transport for s.
func (l *link) transport(s *Server, tail *ring) (mcp.Transport, error) {
	switch s.Type {
	case TypeStdio:
		proc, err := startProcess(s, tail)
		if err != nil {
			return nil, err
		}
		l.proc = proc
		return l.wrap(&mcp.IOTransport{Reader: &messages{p: proc}, Writer: proc.stdin, MaxLineLength: maxMessage}), nil
	case TypeHTTP, TypeSSE:
		endpoint, err := url.Parse(s.URL)
		if err != nil {
			return nil, errors.New("URL cannot be parsed")
		}
		l.http = newHTTPClient(l.life, s, endpoint)
		// The SDK gets the URL without its secrets, so that they cannot appear
		// in its errors; the round tripper adds them.
		address := bare(endpoint).String()
		if s.Type == TypeSSE {
			return l.wrap(&mcp.SSEClientTransport{Endpoint: address, HTTPClient: l.http, MaxEventSize: maxMessage}), nil
		}
		return &mcp.StreamableClientTransport{
			Endpoint:     address,
			HTTPClient:   l.http,
			MaxEventSize: maxMessage,
			// The standalone stream only carries what servers send unasked, which
			// is not used. And the SDK opens it during Connect and waits for the
			// response headers, which some servers hold back until the first event.
			DisableStandaloneSSE: true,
		}, nil
	}
	if t, ok := s.Transport.(*mcp.StreamableClientTransport); ok {
		own := *t
		l.http = l.observed(t)
		own.HTTPClient = l.http
		return &own, nil
	}
	return l.wrap(s.Transport), nil
}

func (l *link) wrap(t mcp.Transport) mcp.Transport {
	l.tap = &tap{Transport: t, life: l.life}
	return l.tap
}

// observed returns the HTTP client of a transport of the user, with our round
// tripper around its own.
func (l *link) observed(t *mcp.StreamableClientTransport) *http.Client {
	var client http.Client
	if t.HTTPClient != nil {
		client = *t.HTTPClient
	}
	base := client.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	client.Transport = &roundTripper{base: base, life: l.life, oauth: t.OAuthHandler != nil}
	return &client
}

// abort breaks the connection at once.
func (l *link) abort() {
	l.end()
	if l.tap != nil {
		l.tap.abort()
	}
}

// shutdown ends the connection in order, as far as it goes along.
func (l *link) shutdown() error {
	defer close(l.ended)
	var errs []error
	if l.session != nil {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = l.session.Close() // that the other side is gone is no news
		}()
		if !within(closed, closeGrace) {
			l.abort()
			if !within(closed, closeGrace) {
				errs = append(errs, errors.New("the session does not end"))
			}
		}
	}
	l.abort()
	if l.proc != nil {
		errs = append(errs, l.proc.stop())
	}
	if l.http != nil {
		l.http.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

// within reports whether done is closed within d.
func within(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
