package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// connection owns one server for as long as the client has it: its configuration, its
// state and the link of the moment. The state changes in supervise, and in start and
// stop, which never run at the same time.
type connection struct {
	server Server // resolved
	opts   *Options
	queue  *queue
	pool   *pool                // of the conversations' own connections; nil if they share this one
	report func(Status, []Tool) // of changes
	shared
	subscribed   subscriptions
	conversation string // the only one, if it is for one
	stderr       ring

	calls    context.Context // parent of all calls' ends
	endCalls context.CancelCauseFunc

	// What supervise is asked for. Each has room for one: to ask twice is to ask.
	wanted      chan struct{} // an attempt, by a call
	again       chan struct{} // an attempt, by the host
	listChanged chan struct{} // a listing, by the server
	suspected   chan struct{} // a ping, by a call without an answer

	starting sync.Mutex              // held by start and stop
	cease    context.CancelCauseFunc // ends supervise; nil if it does not run
	ceased   chan struct{}           // closed when it has returned

	mu        sync.Mutex
	state     State
	told      State         // the last that the host was told
	since     time.Time     // of state
	err       error         // why it is in this state
	turn      chan struct{} // closed when the host was told of the next state
	link      *link         // nil unless ready or degraded
	leaving   *link         // whose loss the host is told next
	tools     []Tool        // as last listed
	init      *mcp.InitializeResult
	took      time.Duration
	tries     int       // attempts that have ended
	failures  int       // of them in a row
	next      time.Time // of the next attempt, in backoff
	notBefore time.Time // the server said when to come back
	trouble   trouble
	circuit   int       // calls in a row that the server did not answer
	paused    time.Time // until when the server wants no calls
	closers   sync.WaitGroup
	unclosed  []error // of links that could not be closed
}

// trouble is why a server that is connected is degraded.
type trouble struct {
	silence error // it does not answer pings
	stale   error // its tools could not be listed again
}

// maxUnclosed bounds the errors that are kept of links that could not be closed.
const maxUnclosed = 16

func newConnection(s Server, o *Options, common shared, report func(Status, []Tool)) *connection {
	c := &connection{
		server: s, opts: o, shared: common, report: report, queue: newQueue(s.MaxConcurrency),
		state: StateConnecting, told: StateConnecting, since: time.Now(), turn: make(chan struct{}),
		wanted: make(chan struct{}, 1), again: make(chan struct{}, 1),
		listChanged: make(chan struct{}, 1), suspected: make(chan struct{}, 1),
	}
	c.stderr.secrets = c.secrets
	if s.Disabled {
		c.state, c.told = StateDisabled, StateDisabled
	}
	c.calls, c.endCalls = context.WithCancelCause(context.Background())
	return c
}

// ask puts a wish into one of the channels for supervise.
func ask(wish chan struct{}) {
	select {
	case wish <- struct{}{}:
	default:
	}
}

// forget takes a wish back.
func forget(wish chan struct{}) {
	select {
	case <-wish:
	default:
	}
}

// start begins to keep the server connected, if that is not so already.
func (c *connection) start() {
	c.starting.Lock()
	defer c.starting.Unlock()
	if c.cease != nil || c.calls.Err() != nil {
		return
	}
	if c.currently() != StateConnecting {
		c.become(StateConnecting, nil, nil)
	}
	if c.pool != nil {
		c.pool.begin()
	}
	ctx, cease := context.WithCancelCause(context.Background())
	ceased := make(chan struct{})
	c.cease, c.ceased = cease, ceased
	go func() {
		defer close(ceased)
		c.supervise(ctx)
	}()
}

// reconnect asks for a new link.
func (c *connection) reconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == StateDisabled || c.state == StateClosed {
		return
	}
	if c.pool != nil {
		c.pool.reconnect()
	}
	if c.state == StateConnecting {
		return
	}
	c.told = StateConnecting // for those who settle after this
	if c.link != nil && c.link.over.Err() == nil {
		c.link.finish(errAsked)
		return
	}
	ask(c.again)
}

// stop ends the connection in a state, and waits until nothing of it is left.
func (c *connection) stop(state State, cause error) error {
	if state == StateClosed {
		c.endCalls(cause)
	}
	c.starting.Lock()
	defer c.starting.Unlock()
	if c.cease != nil {
		c.cease(cause)
		<-c.ceased
		c.cease = nil
	}
	if now := c.currently(); now != state && now != StateClosed {
		c.become(state, nil, func() {
			c.tools, c.failures, c.circuit, c.next, c.notBefore = nil, 0, 0, time.Time{}, time.Time{}
		})
	}
	c.closers.Wait()
	c.mu.Lock()
	errs := slices.Clone(c.unclosed)
	c.mu.Unlock()
	if c.pool != nil {
		errs = append(errs, c.pool.finish(cause))
	}
	return errors.Join(errs...)
}

// end ends the connection for good, with the logins that it shares with its pool.
func (c *connection) end() error {
	err := c.stop(StateClosed, ErrClosed)
	if c.auth != nil {
		err = errors.Join(err, c.auth.close())
	}
	return err
}

// become changes the state, and tells the host and all who wait for it. The change is
// made with the lock held.
func (c *connection) become(state State, err error, change func()) {
	c.mu.Lock()
	if state != c.state {
		c.since = time.Now()
	}
	c.state, c.err = state, err
	if change != nil {
		change()
	}
	status, tools := c.statusLocked(), slices.Clone(c.tools)
	c.mu.Unlock()

	c.report(status, tools)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = state
	close(c.turn)
	c.turn = make(chan struct{})
	if c.leaving != nil {
		close(c.leaving.settled)
		c.leaving = nil
	}
}

// ready takes over a link.
func (c *connection) ready(l *link, tools []Tool) {
	c.become(StateReady, nil, func() {
		c.link, c.tools, c.init = l, tools, l.session.InitializeResult()
		c.failures, c.trouble = 0, trouble{}
		c.tries++
	})
}

// leave takes a link that is over out of use. Calls on it that the server may still
// answer are left to it; then it is closed.
func (c *connection) leave(l *link) {
	c.mu.Lock()
	c.link, c.leaving = nil, l
	c.mu.Unlock()
	c.closers.Go(func() {
		select {
		case <-l.gone:
		case <-l.unused():
		case <-c.calls.Done():
		}
		c.closed(l.close())
	})
}

// drop closes a link in the background, whatever goes on on it. It may be nil.
func (c *connection) drop(l *link) {
	if l == nil {
		return
	}
	c.mu.Lock()
	if c.link == l {
		c.link, c.leaving = nil, l
	}
	c.mu.Unlock()
	c.closers.Go(func() { c.closed(l.close()) })
}

func (c *connection) closed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && len(c.unclosed) < maxUnclosed {
		c.unclosed = append(c.unclosed, fmt.Errorf("closing %q: %w", c.server.Name, err))
	}
}

// troubled notes what is wrong with a link that works somehow, or that it no longer is.
func (c *connection) troubled(l *link, note func(*trouble)) {
	c.mu.Lock()
	before := c.trouble
	note(&c.trouble)
	state, err := StateReady, errors.Join(c.trouble.silence, c.trouble.stale)
	if err != nil {
		state = StateDegraded
	}
	same := c.link != l || c.trouble == before
	c.mu.Unlock()
	if !same {
		c.become(state, err, nil)
	}
}

// relist asks for the tools again, and reports whether that could be done. The old list
// stays if not.
func (c *connection) relist(l *link) bool {
	ctx, cancel := context.WithTimeoutCause(l.over, c.server.ConnectTimeout, &timeoutError{
		what: "the server did not list its tools", d: c.server.ConnectTimeout,
	})
	defer cancel()
	tools, err := c.list(ctx, l.session)
	if l.over.Err() != nil {
		return false
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		err = fmt.Errorf("its tools could not be listed again, so they are those of before: %w", c.secrets.readable(err))
		c.troubled(l, func(t *trouble) { t.stale = err })
		return false
	}
	c.troubled(l, func(t *trouble) { t.stale = nil })
	c.mu.Lock()
	state, err, same := c.state, c.err, equalTools(c.tools, tools)
	c.mu.Unlock()
	if !same {
		c.become(state, err, func() { c.tools = tools })
	}
	return true
}

// currently returns the state.
func (c *connection) currently() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// offered returns the tools as they were last listed.
func (c *connection) offered() []Tool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tools
}

// tool returns a tool as it was last listed.
func (c *connection) tool(name string) (Tool, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := slices.BinarySearchFunc(c.tools, name, func(t Tool, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return Tool{}, false
	}
	return c.tools[i], true
}

// status describes the connection.
func (c *connection) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.statusLocked()
}

func (c *connection) statusLocked() Status {
	s := Status{
		Name: c.server.Name, State: c.state, Err: c.err, Since: c.since,
		Failures: c.failures, NextAttempt: c.next,
		Stderr: c.stderr.String(), Transport: string(c.server.Type),
		Tools: len(c.tools), ConnectTime: c.took,
	}
	if c.pool != nil {
		s.Connections = c.pool.size()
	}
	if c.init != nil {
		s.Capabilities = capabilities(c.init)
		s.ProtocolVersion, s.Instructions = c.init.ProtocolVersion, c.init.Instructions
		if info := c.init.ServerInfo; info != nil {
			s.ServerName, s.ServerVersion, s.Title = info.Name, info.Version, info.Title
		}
	}
	return s
}
