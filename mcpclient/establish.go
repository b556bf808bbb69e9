package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

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
		l, err := c.dial(ctx, versions[i])
		if err == nil {
			var tools []Tool
			l.asked.Store(true)
			if tools, err = c.list(ctx, l.session); err == nil {
				return l, tools, nil
			}
			err = c.explain(ctx, l, fmt.Errorf("listing the tools: %w", err))
			c.drop(l)
			return nil, nil, err
		}
		err = c.explain(ctx, l, err)
		c.drop(l)
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

var errSessionEnded = errors.New("the server ended the session (it was restarted, or the session was idle for too long)")

// lostReason says why a link is gone.
func (c *connection) lostReason(l *link) error {
	switch {
	case l.proc != nil && ofPipe(l.lost):
		return l.proc.silence()
	case errors.Is(l.lost, mcp.ErrSessionMissing):
		return errSessionEnded
	case l.lost == nil:
		return errors.New("the server closed the connection")
	}
	return fmt.Errorf("the connection broke: %w", c.secrets.readable(l.lost))
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
			return fmt.Errorf("handshake: %w", c.secrets.protocolError(rpcErr))
		}
	}
	var answer *jsonrpc.Error
	if errors.Is(err, mcp.ErrConnectionClosed) && l.discovered != nil && !errors.As(l.discovered, &answer) {
		err = l.discovered // by which the SDK has closed it
	}
	var (
		refused *ProtocolError
		status  *statusError
	)
	switch {
	case errors.As(err, &refused), errors.Is(err, errListing), permanent(err) && !errors.As(err, &status):
		return err
	case errors.As(err, &status):
		return status
	case l.proc != nil && ofPipe(err):
		return l.proc.silence()
	case l.proc != nil:
		return c.withOutput(c.secrets.readable(err))
	}
	return c.secrets.unreachable(err)
}

// withOutput adds what the server wrote last, which often says more.
func (c *connection) withOutput(err error) error {
	if tail := c.stderr.String(); tail != "" {
		return fmt.Errorf("%w; its last output was: %s", err, tail)
	}
	return err
}

// isRefused reports whether nobody listens, so that the request was not sent.
func isRefused(err error) bool { return errors.Is(err, connectionRefused) }
