package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxMessage bounds one message from a server, in bytes.
const maxMessage = 64 << 20

// exchange watches one request and its answer on the wire. The SDK decodes
// results into any: integers above 2^53 lose digits, properties of a schema lose
// their order, and a block of an unknown type fails the whole result. So the
// answer is also kept as the server wrote it.
//
// It travels in the context of the request, which the SDK hands down to the
// transport.
type exchange struct {
	mu     sync.Mutex
	sent   bool // and not refused
	result json.RawMessage
	err    *jsonrpc.Error
}

type exchangeKey struct{}

func withExchange(ctx context.Context) (context.Context, *exchange) {
	ex := &exchange{}
	return context.WithValue(ctx, exchangeKey{}, ex), ex
}

func exchangeFrom(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey{}).(*exchange)
	return ex
}

// begin forgets the answer of an earlier round: a request that needs input of the host
// is sent again with it.
func (e *exchange) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result, e.err = nil, nil
}

// markSent notes that the server may carry the request out.
func (e *exchange) markSent() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = true
}

// refused notes that the server has the request and does not carry it out.
func (e *exchange) refused() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = false
}

// answer keeps the server's answer. A request that takes several rounds keeps
// the last one.
func (e *exchange) answer(result json.RawMessage, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.result, e.err = result, nil
	if err != nil && !errors.As(err, &e.err) {
		e.err = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}
	}
}

// state returns what is known so far. The result is nil until there is one.
func (e *exchange) state() (sent bool, result json.RawMessage, rpcErr *jsonrpc.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sent, e.result, e.err
}

// tap is a transport whose connections report exchanges. Writing to the one that it is
// put around must not take longer than the context of the writer; see impatient.
//
// It is not put around streamable HTTP: the SDK tells that connection the
// negotiated protocol version through an unexported method, which a wrapper
// cannot have. There, the round tripper does the same work. (A transport of the
// user that hides a streamable connection does not send the version header,
// which servers must tolerate.)
type tap struct {
	mcp.Transport
	life  context.Context // no connection is made or kept when it is done
	heard func()          // something came from the server

	mu   sync.Mutex
	conn mcp.Connection // nil before Connect
}

// abort closes the connection, if there is one.
func (t *tap) abort() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		_ = t.conn.Close() // nothing depends on it any more
	}
}

// Connect implements mcp.Transport.
func (t *tap) Connect(ctx context.Context) (mcp.Connection, error) {
	conn, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.conn = conn
	t.mu.Unlock()
	if err := t.life.Err(); err != nil {
		t.abort()
		return nil, err
	}
	return &tapConn{Connection: conn, heard: t.heard, pending: map[jsonrpc.ID]pending{}}, nil
}

type tapConn struct {
	mcp.Connection
	heard   func()
	mu      sync.Mutex
	pending map[jsonrpc.ID]pending
}

type pending struct {
	*exchange
	stop func() bool // the context of the request no longer matters
}

// Write implements mcp.Connection.
func (c *tapConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var ex *exchange
	if req, ok := msg.(*jsonrpc.Request); ok && req.IsCall() {
		if ex = exchangeFrom(ctx); ex != nil {
			ex.begin()
			c.mu.Lock()
			c.pending[req.ID] = pending{ex, context.AfterFunc(ctx, func() { c.take(req.ID) })}
			c.mu.Unlock()
		}
	}
	err := c.Connection.Write(ctx, msg)
	if ex != nil && (err == nil || ctx.Err() != nil) { // the latter may be on its way
		ex.markSent()
	}
	return err
}

// Read implements mcp.Connection.
func (c *tapConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	msg, err := c.Connection.Read(ctx)
	if err != nil {
		return msg, err
	}
	c.heard()
	if resp, ok := msg.(*jsonrpc.Response); ok {
		if ex := c.take(resp.ID); ex != nil {
			ex.answer(resp.Result, resp.Error)
		}
	}
	return msg, err
}

func (c *tapConn) take(id jsonrpc.ID) *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pending[id]
	if !ok {
		return nil
	}
	p.stop()
	delete(c.pending, id)
	return p.exchange
}

// impatient is a transport whose connections let go of a writer whose context is done, for
// those whose own do not if the server does not read.
type impatient struct{ mcp.Transport }

// Connect implements mcp.Transport.
func (t impatient) Connect(ctx context.Context) (mcp.Connection, error) {
	conn, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return impatientConn{conn}, nil
}

type impatientConn struct{ mcp.Connection }

// Write implements mcp.Connection. If ctx ends it, the message may still be on its way.
func (c impatientConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	written := make(chan error, 1)
	go func() { written <- c.Connection.Write(ctx, msg) }()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
