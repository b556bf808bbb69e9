package typecheck

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxMessage bounds a message of the server. What it says of a program with a
	// thousand mistakes has a few hundred kilobytes.
	maxMessage = 8 << 20
	// maxAnnounced is beyond what a program can make an honest server say.
	maxAnnounced = 1 << 30
	// maxHeaders bounds the lines before a message, and maxHeader each of them.
	maxHeaders = 8
	maxHeader  = 256
)

// errProtocol means that the server does not speak as it should.
var errProtocol = errors.New("it broke the protocol")

// A client speaks JSON-RPC with a language server. One request is open at a time.
type client struct {
	w io.Writer

	next    int64      // id of the last request
	mu      sync.Mutex // for writing
	replies chan envelope
	// ended is closed when nothing more will come; err then says why.
	ended chan struct{}
	err   error
}

// An envelope is any message of the server.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// newClient reads from r until its end, or the first thing that is wrong with it.
func newClient(w io.Writer, r io.Reader) *client {
	c := &client{w: w, replies: make(chan envelope, 1), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.err = c.read(bufio.NewReaderSize(r, 16<<10))
	}()
	return c
}

func (c *client) read(r *bufio.Reader) error {
	for {
		body, err := readMessage(r)
		if err != nil {
			return err
		}
		var e envelope
		if err := json.Unmarshal(body, &e); err != nil {
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		switch {
		case e.Method != "" && len(e.ID) > 0:
			// It asks for configuration and the like: there is none.
			if err := c.write(map[string]any{"jsonrpc": "2.0", "id": e.ID, "result": nil}); err != nil {
				return err
			}
		case e.Method != "": // a notification
		default:
			select {
			case c.replies <- e:
			default:
				return fmt.Errorf("%w: it answers what was not asked", errProtocol)
			}
		}
	}
}

// readMessage returns the body of the next message.
func readMessage(r *bufio.Reader) ([]byte, error) {
	size := -1
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if err != nil || len(line) > maxHeader || n == maxHeaders {
			return nil, fmt.Errorf("%w: its headers are too long", errProtocol)
		}
		text := strings.TrimSpace(string(line))
		if text == "" {
			break
		}
		name, value, _ := strings.Cut(text, ":")
		if !strings.EqualFold(name, "Content-Length") {
			continue
		}
		size, err = strconv.Atoi(strings.TrimSpace(value))
		switch {
		case err != nil || size < 0 || size > maxAnnounced:
			return nil, fmt.Errorf("%w: it announces a message of %q bytes", errProtocol, strings.TrimSpace(value))
		case size > maxMessage:
			return nil, fmt.Errorf("%w: there is too much to say about it (%d MB)", ErrTooComplex, size>>20)
		}
	}
	if size < 0 {
		return nil, fmt.Errorf("%w: a message has no length", errProtocol)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(r, body)
	return body, err
}

func (c *client) write(message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.w.Write(append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body...))
	return err
}

func (c *client) notify(method string, params any) error {
	return c.write(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

// request sends a request and decodes its result. It ends when the server answers or
// is gone: whoever calls it sees to it that a server that does neither is killed.
func (c *client) request(method string, params, result any) error {
	c.next++
	if err := c.write(map[string]any{"jsonrpc": "2.0", "id": c.next, "method": method, "params": params}); err != nil {
		return err
	}
	var reply envelope
	select {
	case reply = <-c.replies:
	case <-c.ended:
		select {
		case reply = <-c.replies: // its last words
		default:
			return c.err
		}
	}
	if string(reply.ID) != strconv.FormatInt(c.next, 10) {
		return fmt.Errorf("%w: it answers request %.40s, not %d", errProtocol, reply.ID, c.next)
	}
	if reply.Error != nil {
		return fmt.Errorf("it answers %s with error %d: %.200s", method, reply.Error.Code, reply.Error.Message)
	}
	if err := json.Unmarshal(reply.Result, result); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	return nil
}
