package mcpclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
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
	of   *connection
	life context.Context // ends the transport, whatever it does
	end  context.CancelFunc

	tap     *tap         // nil for streamable HTTP
	http    *http.Client // nil without HTTP
	proc    *process     // nil without a process
	session *mcp.ClientSession
	receive mcp.MethodHandler // answers a request of the server

	discovered error           // of server/discover, after which the SDK tries initialize
	handshake  *exchange       // of initialize; nil before it was sent
	over       context.Context // done when it shall not be used any more; the cause is the reason
	finish     context.CancelCauseFunc
	gone       chan struct{} // closed when the session is over
	lost       error         // why; valid after gone
	settled    chan struct{} // closed when the state of the connection followed

	using     sync.Mutex
	uses      map[*use]bool // calls under way
	released  chan struct{}
	followers followers
	mute      atomic.Bool  // nothing comes from the server unasked
	asked     atomic.Bool  // for its tools
	pingless  bool         // of supervise
	silent    time.Time    // of supervise: when what was left without an answer was asked
	lastRead  atomic.Int64 // when something came from the server, in nanoseconds of Unix time

	renewing sync.WaitGroup // of subscriptions
	close    func() error   // see shutdown; runs once
	ended    chan struct{}  // closed at the end of shutdown
}

// dial starts what the server needs and performs the handshake. If it fails, the link
// is returned too and must be closed.
func (c *connection) dial(ctx context.Context, version string) (*link, error) {
	s, o := &c.server, c.opts
	l := &link{of: c, gone: make(chan struct{}), settled: make(chan struct{}), ended: make(chan struct{}), released: make(chan struct{}, 1), uses: map[*use]bool{}}
	// Not derived from ctx: the connection lives longer than connecting takes.
	// (The SDK ties the event stream of an SSE server to the context.)
	l.life, l.end = context.WithCancel(context.Background())
	l.over, l.finish = context.WithCancelCause(context.Background())
	l.close = sync.OnceValue(l.shutdown)
	transport, err := l.transport(ctx, s, &c.stderr)
	if err != nil {
		return l, err
	}
	stop := context.AfterFunc(ctx, l.abort)
	defer stop()
	l.session, err = l.newClient(s, o).Connect(l.life, transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		return l, err
	}
	go func() {
		l.lost = l.session.Wait()
		close(l.gone)
		if l.over.Err() == nil { // else it was over before
			l.finish(c.lostReason(l))
		}
	}()
	if err := ctx.Err(); err != nil {
		return l, err
	}
	l.askForLogs(ctx, s, o)
	return l, nil
}

// transport returns the transport for s.
func (l *link) transport(ctx context.Context, s *Server, tail *ring) (mcp.Transport, error) {
	switch s.Type {
	case TypeStdio:
		proc, err := startProcess(s, tail, &lineLogger{logger: l.of.opts.Logger.With("server", s.Name), secrets: l.of.secrets})
		if err != nil {
			return nil, err
		}
		l.proc = proc
		return l.wrap(stdio{proc}), nil
	case TypeHTTP, TypeSSE:
		endpoint, err := url.Parse(s.URL)
		if err != nil {
			return nil, errors.New("URL cannot be parsed")
		}
		if l.http, err = newHTTPClient(l, s, endpoint); err != nil {
			return nil, err
		}
		// The SDK gets the URL without its secrets, so that they cannot appear
		// in its errors; the round tripper adds them.
		address := bare(endpoint).String()
		if s.Type == TypeSSE {
			return l.wrap(impatient{&mcp.SSEClientTransport{Endpoint: address, HTTPClient: l.http, MaxEventSize: maxMessage}}), nil
		}
		return &mcp.StreamableClientTransport{
			Endpoint:     address,
			HTTPClient:   l.http,
			MaxEventSize: maxMessage,
		}, nil
	}
	own := s.Transport
	if s.Dial != nil {
		var err error
		if own, err = s.Dial(ctx); err != nil {
			return nil, err
		}
	}
	if t, ok := own.(*mcp.StreamableClientTransport); ok {
		streamable := *t
		l.http = l.observed(t)
		streamable.HTTPClient = l.http
		return &streamable, nil
	}
	return l.wrap(impatient{own}), nil
}

func (l *link) wrap(t mcp.Transport) mcp.Transport {
	l.tap = &tap{Transport: t, life: l.life, heard: l.hear}
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
	client.Transport = &roundTripper{base: base, life: l.life, secrets: l.of.secrets, oauth: t.OAuthHandler != nil}
	return &client
}

// A use of a link is a call under way.
type use struct {
	*link
	since time.Time
}

// use counts a caller in, and release out again.
func (l *link) use() *use {
	u := &use{link: l, since: time.Now()}
	l.using.Lock()
	defer l.using.Unlock()
	l.uses[u] = true
	return u
}

func (u *use) release() {
	u.using.Lock()
	defer u.using.Unlock()
	delete(u.uses, u)
	if len(u.uses) == 0 {
		ask(u.released)
	}
}

func (l *link) inUse() bool { return l.inUseSince(time.Now()) }

// inUseSince reports whether a call is under way that had begun at t.
func (l *link) inUseSince(t time.Time) bool {
	l.using.Lock()
	defer l.using.Unlock()
	for u := range l.uses {
		if !u.since.After(t) {
			return true
		}
	}
	return false
}

// unused returns a channel that is closed when nobody uses the link, once nobody can
// begin to.
func (l *link) unused() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for l.inUse() {
			<-l.released
		}
	}()
	return done
}

// hear notes that something came from the server, and heard tells when that was.
func (l *link) hear() { l.lastRead.Store(time.Now().UnixNano()) }

func (l *link) heard() time.Time { return time.Unix(0, l.lastRead.Load()) }

// pings reports whether the server knows ping: 2026-07-28 has none, and some servers
// leave it without an answer.
func (l *link) pings() bool {
	init := l.session.InitializeResult()
	return !l.pingless && init != nil && init.ProtocolVersion <= protocolLegacy
}

// answers reports whether the server gives a sign of life within pingPatience: any
// answer is one, also that there is no such method.
func (l *link) answers() bool {
	if !l.pings() {
		return l.lists()
	}
	return l.alive(func(ctx context.Context) error { return l.session.Ping(ctx, nil) })
}

// lists is answers for servers that have no ping.
func (l *link) lists() bool {
	return l.alive(func(ctx context.Context) error {
		_, err := l.session.ListTools(ctx, nil)
		return err
	})
}

func (l *link) alive(ask func(context.Context) error) bool {
	asked := time.Now()
	ctx, cancel := context.WithTimeout(l.over, pingPatience)
	defer cancel()
	err := ask(ctx)
	if isRefused(err) {
		l.finish(l.of.secrets.unreachable(err))
		return false
	}
	return err == nil || ctx.Err() == nil || l.heard().After(asked)
}

// listens has the tools listed again if they were before the server could tell of changes,
// as far as it does tell.
func (l *link) listens() {
	if l.asked.Load() && l.notifies() {
		ask(l.of.listChanged)
	}
}

// perRequest reports whether the transport has no connection of its own.
func (l *link) perRequest() bool { return l.tap == nil }

// notifies reports whether the server says that it tells of changes of its tools.
func (l *link) notifies() bool {
	init := l.session.InitializeResult()
	return !l.mute.Load() && init != nil && init.Capabilities != nil && init.Capabilities.Tools != nil && init.Capabilities.Tools.ListChanged
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
	l.finish(ErrClosed)
	defer l.renewing.Wait()
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
