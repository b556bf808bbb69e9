package mcpclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// stdio is the transport to a process of ours, in place of the SDK's mcp.IOTransport: its
// connections hand no message from goroutine to goroutine.
type stdio struct{ proc *process }

// Connect implements mcp.Transport.
func (t stdio) Connect(context.Context) (mcp.Connection, error) {
	return newStdioConn(t.proc.stdin, t.proc.stdout, t.proc.stderr), nil
}

// stdioConn is a connection over two pipes, with one message a line.
type stdioConn struct {
	stdin, stdout *os.File

	in    *lineReader
	batch []json.RawMessage // messages of the last line that are still to be read

	try     syscall.RawConn // of stdin; nil if only a goroutine can write without waiting
	mu      sync.Mutex
	waiting []byte        // what flush writes next
	unsent  int           // bytes of waiting, and of what flush writes now; flush runs if there are any
	fewer   chan struct{} // closed when unsent has become less, or err is set; nil if nobody waits for that
	err     error         // why nothing can be written any more
}

// newStdioConn returns a connection that writes to stdin and reads from stdout. Lines of
// stdout that are no messages go to noise.
func newStdioConn(stdin, stdout *os.File, noise io.Writer) *stdioConn {
	c := &stdioConn{stdin: stdin, stdout: stdout, in: newLineReader(stdout, noise)}
	// What has deadlines can be written to without waiting. Windows' pipes have none.
	if stdin.SetWriteDeadline(time.Time{}) == nil {
		c.try, _ = stdin.SyscallConn()
	}
	return c
}

// SessionID implements mcp.Connection.
func (c *stdioConn) SessionID() string { return "" }

// Read implements mcp.Connection. It waits until the server has written a message or
// Close is called; ctx is only looked at before. (The SDK's is one that does not end.)
func (c *stdioConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for len(c.batch) == 0 {
		line, err := c.in.next()
		if err != nil {
			return nil, c.readError(err)
		}
		if !json.Valid(line) { // the SDK would not look at what comes after a message
			var raw json.RawMessage
			return nil, fmt.Errorf("the server wrote a line that begins like a message and is not JSON: %w", json.Unmarshal(line, &raw))
		}
		if line[0] == '[' {
			// A batch, of protocol 2025-03-26. Answers to requests in it are sent one by one,
			// which is as good for a server that sends single messages too.
			if err := json.Unmarshal(line, &c.batch); err != nil {
				return nil, err
			}
			continue
		}
		msg, err := jsonrpc.DecodeMessage(line)
		if err != nil && !meantAsMessage(line) { // a log in JSON
			_, _ = c.in.noise.Write(line)
			continue
		}
		return msg, err
	}
	next := c.batch[0]
	c.batch = c.batch[1:]
	return jsonrpc.DecodeMessage(next)
}

// meantAsMessage reports whether an object that is no message was meant to be one.
func meantAsMessage(object []byte) bool {
	var m struct {
		Version json.RawMessage `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  json.RawMessage `json:"result"`
		Error   json.RawMessage `json:"error"`
	}
	return json.Unmarshal(object, &m) != nil || m.Version != nil || m.ID != nil && (m.Result != nil || m.Error != nil)
}

// readError returns why nothing more can be read.
func (c *stdioConn) readError(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return err
}

// Write implements mcp.Connection. What the pipe does not take at once is written by a
// goroutine, in order; when there is too much of it a request waits until ctx ends, and an
// answer fails. If writing fails, Read and the next Write return the error.
func (c *stdioConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	line, err := jsonrpc.EncodeMessage(msg)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	// Answers do not wait: a server that asks and does not read could have any number of them.
	_, answer := msg.(*jsonrpc.Response)
	if err := c.room(ctx, len(line), !answer); err != nil {
		return err
	}
	if c.unsent == 0 {
		n, err := c.writeNow(line)
		if err != nil {
			c.fail(err)
			return err
		}
		if line = line[n:]; len(line) == 0 {
			return nil
		}
		go c.flush()
	}
	c.waiting = append(c.waiting, line...)
	c.unsent += len(line)
	return nil
}

// room waits, if it may, until there is room for so many bytes more. c.mu is locked when it
// begins and when it ends.
func (c *stdioConn) room(ctx context.Context, size int, mayWait bool) error {
	for c.err == nil && c.unsent > 0 && c.unsent+size > maxMessage {
		full := fmt.Errorf("the server does not read its standard input, where %d bytes wait for it", c.unsent)
		if !mayWait {
			return full
		}
		if c.fewer == nil {
			c.fewer = make(chan struct{})
		}
		fewer := c.fewer
		c.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", full, context.Cause(ctx))
		}
	}
	return c.err
}

// progress tells those who wait in room that something has changed.
func (c *stdioConn) progress() {
	if c.fewer != nil {
		close(c.fewer)
		c.fewer = nil
	}
}

// fail notes that nothing can be written any more, and ends Read when it has had the time
// to read what the server has answered already.
func (c *stdioConn) fail(err error) {
	if c.err == nil {
		c.err = err
		c.progress()
		c.interrupt(exitGrace)
	}
}

// writeNow writes as much as can be written without waiting.
func (c *stdioConn) writeNow(b []byte) (int, error) {
	if c.try == nil {
		return 0, nil
	}
	n, err := tryWrite(c.try, b)
	if err != nil {
		return 0, &fs.PathError{Op: "write", Path: c.stdin.Name(), Err: err}
	}
	return n, nil
}

// flush writes what is waiting, until nothing is.
func (c *stdioConn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 && c.err == nil {
		b := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		_, err := c.stdin.Write(b) // until Close, if nobody reads
		c.mu.Lock()
		c.unsent -= len(b)
		c.progress()
		if err != nil {
			c.fail(err)
		}
	}
}

// interrupt ends Read in d, even if the server writes nothing. Its stdout stays open: a
// server that is told to end may still write, and would be hit by SIGPIPE. It is closed
// when the process is gone.
func (c *stdioConn) interrupt(d time.Duration) {
	if c.stdout.SetReadDeadline(time.Now().Add(d)) != nil { // Windows, which has no SIGPIPE either
		time.AfterFunc(d, func() { closeAll(c.stdout) })
	}
}

// Close implements mcp.Connection. It closes stdin, which tells the server to end.
func (c *stdioConn) Close() error {
	c.mu.Lock()
	if c.err == nil {
		c.err = io.EOF
		c.progress()
	}
	c.mu.Unlock()
	c.interrupt(0)
	closeAll(c.stdin)
	return nil
}
