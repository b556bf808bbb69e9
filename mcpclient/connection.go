package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// connection owns one server for the life of the client: its configuration, its
// state and the link of the moment.
type connection struct {
	server Server // resolved
	opts   *Options
	stderr ring

	settled  chan struct{}   // closed when it is no longer connecting
	calls    context.Context // parent of all calls' ends
	endCalls context.CancelCauseFunc

	mu      sync.Mutex
	state   State
	err     error // for StateFailed
	link    *link // nil unless ready
	tools   []Tool
	init    *mcp.InitializeResult
	took    time.Duration
	closers sync.WaitGroup // links that are being closed
	failed  []error        // of closing them
}

func newConnection(s Server, o *Options) *connection {
	c := &connection{server: s, opts: o, state: StateConnecting, settled: make(chan struct{})}
	if s.Disabled {
		c.state = StateDisabled
	}
	c.calls, c.endCalls = context.WithCancelCause(context.Background())
	return c
}

// connect makes the server ready or failed. It does not wait for what is left
// of a failed attempt; close does.
func (c *connection) connect(ctx context.Context) {
	defer close(c.settled)
	if c.server.Disabled {
		return
	}
	defer c.changed() // after the lock is released
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.server.ConnectTimeout, &timeoutError{
		what: "the server did not get ready", d: c.server.ConnectTimeout,
		hint: "if it needs longer to start, raise ConnectTimeout",
	})
	defer cancel()
	l, tools, err := c.establish(ctx)
	c.become(l, tools, err, time.Since(start))
}

// become takes over what an attempt to connect has come to.
func (c *connection) become(l *link, tools []Tool, err error, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = took
	if err != nil {
		c.state, c.err = StateFailed, err
		return
	}
	c.state, c.err, c.link, c.tools, c.init = StateReady, nil, l, tools, l.session.InitializeResult()
	c.closers.Go(func() { c.watch(l) })
}

// changed tells the host the new state. It is called without the lock.
func (c *connection) changed() {
	if c.opts.OnChange != nil {
		c.opts.OnChange(c.status(), slices.Clone(c.offered()))
	}
}

// establish dials and lists the tools.
func (c *connection) establish(ctx context.Context) (*link, []Tool, error) {
	// Most servers know initialize only, and some end when something else comes
	// first (those built on rmcp). So where no harm is done, initialize comes
	// first, and the newer way only if the server refuses. For streamable HTTP
	// the SDK asks for the newer one, as each request stands for itself. SSE is
	// older than all that. A custom transport has one try; the SDK's way it is.
	var versions []string
	switch c.server.Type {
	case TypeStdio:
		versions = []string{protocolLegacy, ""}
	case TypeSSE:
		versions = []string{protocolLegacy}
	default:
		versions = []string{""}
	}
	for i := 0; ; i++ {
		l, err := dial(ctx, &c.server, c.opts, versions[i], &c.stderr)
		if err == nil {
			var tools []Tool
			if tools, err = c.list(ctx, l.session); err == nil {
				return l, tools, nil
			}
			err = c.explain(ctx, l, fmt.Errorf("listing the tools: %w", err))
			c.discard(l)
			return nil, nil, err
		}
		err = c.explain(ctx, l, err)
		c.discard(l)
		if i == len(versions)-1 || !newerOnly(err) {
			return nil, nil, err
		}
	}
}

// newerOnly reports whether a server refused initialize as such.
func newerOnly(err error) bool {
	var refused *ProtocolError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case jsonrpc.CodeMethodNotFound, jsonrpc.CodeInvalidRequest, jsonrpc.CodeInvalidParams, mcp.CodeUnsupportedProtocolVersion:
		return true
	}
	return false
}

// discard closes a link in the background.
func (c *connection) discard(l *link) {
	l.abort()
	c.closers.Go(func() { c.closed(l.close()) })
}

func (c *connection) closed(err error) {
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failed = append(c.failed, fmt.Errorf("closing %q: %w", c.server.Name, err))
	}
}

// watch waits for the end of a link. If it was not asked for, the server has
// failed.
func (c *connection) watch(l *link) {
	select {
	case <-l.gone:
	case <-l.ended: // it was closed, and did not even end then
		c.closed(l.close())
		return
	}
	l.reason = c.lostReason(l)
	c.mu.Lock()
	unexpected := c.state == StateReady && c.link == l
	if unexpected {
		c.state, c.err, c.link, c.tools = StateFailed, l.reason, nil, nil
	}
	c.mu.Unlock()
	close(l.settled)
	if unexpected {
		c.changed()
		c.opts.Logger.Warn("connection to MCP server lost", "server", c.server.Name, "reason", l.reason)
	}
	c.closed(l.close())
}

// lostReason says why a link is gone.
func (c *connection) lostReason(l *link) error {
	switch {
	case l.proc != nil && ofPipe(l.lost):
		return l.proc.silence()
	case errors.Is(l.lost, mcp.ErrSessionMissing):
		return errors.New("the server ended the session (it was restarted, or the session was idle for too long); connect again")
	case l.lost == nil:
		return errors.New("the server closed the connection")
	}
	return fmt.Errorf("the connection broke: %w", readable(l.lost))
}

// ofPipe reports whether an error only says that a pipe to a process has no
// other end, so that the reason is with the process.
func ofPipe(err error) bool {
	var path *fs.PathError
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, mcp.ErrConnectionClosed) || errors.Is(err, os.ErrClosed) || errors.As(err, &path)
}

// explain turns an error of connecting into a reason for people.
func (c *connection) explain(ctx context.Context, l *link, err error) error {
	if ctx.Err() != nil {
		return c.withOutput(context.Cause(ctx))
	}
	if l.handshake != nil {
		if _, _, rpcErr := l.handshake.state(); rpcErr != nil {
			return fmt.Errorf("handshake: %w", protocolError(rpcErr))
		}
	}
	var (
		refused *ProtocolError
		status  *statusError
	)
	switch {
	case errors.As(err, &refused), errors.Is(err, errListing):
		return err
	case errors.As(err, &status):
		return status
	case l.proc != nil && ofPipe(err):
		return l.proc.silence()
	case l.proc != nil:
		return c.withOutput(readable(err))
	}
	return unreachable(err)
}

// withOutput adds what the server wrote last, which often says more.
func (c *connection) withOutput(err error) error {
	if tail := c.stderr.String(); tail != "" {
		return fmt.Errorf("%w; its last output was: %s", err, tail)
	}
	return err
}

// unreachable explains a failure of HTTP.
func unreachable(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing accepts connections there; check Server.URL and whether the server runs: %w", readable(err))
	}
	return readable(err)
}

// protocolError makes a server's error fit to show.
func protocolError(err *jsonrpc.Error) *ProtocolError {
	return &ProtocolError{Code: err.Code, Message: clean(err.Message, 2000)}
}

// status describes the connection.
func (c *connection) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{
		Name: c.server.Name, State: c.state, Err: c.err,
		Stderr: c.stderr.String(), Transport: string(c.server.Type),
		Tools: len(c.tools), ConnectTime: c.took,
	}
	if c.init != nil {
		s.ProtocolVersion, s.Instructions = c.init.ProtocolVersion, c.init.Instructions
		if info := c.init.ServerInfo; info != nil {
			s.ServerName, s.ServerVersion, s.Title = info.Name, info.Version, info.Title
		}
	}
	return s
}

// offered returns the tools; nil if the server is not ready.
func (c *connection) offered() []Tool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tools
}

// close ends the connection and waits until nothing of it is left.
func (c *connection) close() error {
	c.endCalls(ErrClosed)
	c.mu.Lock()
	l := c.link
	c.state, c.err, c.link, c.tools = StateClosed, nil, nil, nil
	c.mu.Unlock()
	if l != nil {
		_ = l.close() // watch, which close waits for, reports the error
	}
	c.closers.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.failed...)
}
