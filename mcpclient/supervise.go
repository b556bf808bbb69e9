package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// stableAfter is how long a connection must have lasted for its loss to be news: the
	// next attempt is made at once. What is lost sooner counts as one more failure.
	stableAfter = time.Minute
	// relistSpacing is the least time between two listings that a server asks for, and
	// relistDelay what a first one waits for more of the same.
	relistSpacing = time.Second
	relistDelay   = 50 * time.Millisecond
	// relistRetry is when a listing that failed is tried again.
	relistRetry = 30 * time.Second
	// deadPings is how many pings in a row must go unanswered, with no call under way that
	// is as old as the silence, for a connection to be given up.
	deadPings = 3
)

// pingPatience is how long a ping may go unanswered. Mutable for testing.
var pingPatience = 10 * time.Second

// errSilent is why a server is degraded that may soon be given up.
var errSilent = errors.New("the server does not answer")

// errAsked ends a link because the host asked for a new one.
var errAsked = errors.New("the host asked to reconnect")

// supervise keeps the server connected until ctx is done: it connects, attends to the
// link until that is over, rests, and begins again. Every change of state that is not
// the host's own happens here, so that hosts are told of them in order.
func (c *connection) supervise(ctx context.Context) {
	for failures := 0; ; {
		l, tools, err := c.connect(ctx)
		if err == nil && ctx.Err() == nil {
			uris := c.subscribed.all() // before others use the link
			c.ready(l, tools)
			l.renewing.Go(func() { c.resubscribe(l, uris) })
			start := time.Now()
			err = c.attend(ctx, l)
			if time.Since(start) >= stableAfter {
				failures = -1
			}
		}
		if ctx.Err() != nil {
			c.drop(l)
			return
		}
		if l != nil {
			c.leave(l)
			c.opts.Logger.Warn("connection to MCP server lost", "server", c.server.Name, "reason", err)
		}
		if c.server.once() {
			err = &permanentError{fmt.Errorf("%w; its Transport is of use once: set Server.Dial to have it made anew", err)}
		}
		failures++
		switch {
		case errors.Is(err, errAsked):
			failures = 0
			c.become(StateConnecting, err, nil)
		case permanent(err):
			if !c.fail(ctx, err, failures) {
				return
			}
			failures = 0
		case failures > 0:
			if !c.rest(ctx, err, failures) {
				return
			}
		default:
			c.become(StateConnecting, err, nil)
		}
	}
}

// connect makes one attempt.
func (c *connection) connect(ctx context.Context) (*link, []Tool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var timer *time.Timer
	timer = time.AfterFunc(c.server.ConnectTimeout, func() {
		if c.auth.busy() { // a user who logs in takes the time that it takes
			timer.Reset(c.server.ConnectTimeout)
			return
		}
		cancel(&timeoutError{
			what: "the server did not get ready", d: c.server.ConnectTimeout,
			hint: "if it needs longer to start, raise ConnectTimeout",
		})
	})
	defer timer.Stop()
	forget(c.again) // this is it
	c.stderr.reset()
	start := time.Now()
	l, tools, err := c.establish(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = time.Since(start)
	return l, tools, err
}

// attend looks after a link until it is over, and returns why.
func (c *connection) attend(ctx context.Context, l *link) error {
	stop := context.AfterFunc(ctx, func() { l.finish(context.Cause(ctx)) })
	defer stop()
	health := newTicker(c.healthInterval(l))
	defer health.Stop()
	period := newTicker(max(0, c.opts.RelistInterval))
	defer period.Stop()
	due := time.NewTimer(time.Hour)
	due.Stop()
	defer due.Stop()
	var waiting bool     // for due
	var listed time.Time // for the last time
	relist := func() {
		waiting = !c.relist(l)
		listed = time.Now()
		if waiting {
			due.Reset(relistRetry)
		}
	}
	for {
		select {
		case <-l.over.Done():
			return context.Cause(l.over)
		case <-c.listChanged:
			if !waiting { // more of the same is covered by the listing to come
				waiting = true
				due.Reset(time.Until(later(time.Now().Add(relistDelay), listed.Add(relistSpacing))))
			}
		case <-due.C:
			relist()
		case <-period.C:
			if !l.notifies() {
				relist()
			}
		case <-health.C:
			if time.Since(l.heard()) >= c.opts.HealthInterval {
				c.examine(l)
			}
		case <-c.suspected:
			c.examine(l)
		}
	}
}

// examine pings a server that has been silent, and gives it up if it stays so, unless
// there is a call that it may be busy with: one that had begun when the silence did. Before
// that it is asked for its tools, since there are servers that ignore pings.
func (c *connection) examine(l *link) {
	for pings := 1; ; pings++ {
		asked := time.Now()
		if l.answers() {
			break
		}
		if pings == deadPings && l.pings() && l.lists() {
			l.pingless = true
			break
		}
		if l.over.Err() != nil {
			return
		}
		if l.silent.IsZero() || l.silent.Before(l.heard()) {
			l.silent = asked
		}
		c.troubled(l, func(t *trouble) { t.silence = errSilent })
		switch {
		case l.inUseSince(l.silent):
			return // the next tick, or the end of the call, asks again
		case pings == deadPings:
			l.finish(fmt.Errorf("%w: it was asked %d times, with %v for an answer", errSilent, pings, pingPatience))
			return
		}
	}
	l.silent = time.Time{}
	c.troubled(l, func(t *trouble) { t.silence = nil })
}

// fail waits until the host asks for another attempt, or a call finds that there is
// another token than the one that was refused. It returns false when ctx is done.
func (c *connection) fail(ctx context.Context, err error, failures int) bool {
	forget(c.wanted) // it was for the attempt that has failed
	c.become(StateFailed, err, func() { c.failures, c.tries = failures, c.tries+1 })
	var status *statusError
	refused := errors.As(err, &status) && status.code == http.StatusUnauthorized
	var looked time.Time
	for waiting := true; waiting; {
		select {
		case <-c.again:
			waiting = false
		case <-c.wanted:
			if refused && time.Since(looked) >= c.opts.MinBackoff {
				waiting = !c.another(ctx)
				looked = time.Now()
			}
		case <-ctx.Done():
			return false
		}
	}
	c.become(StateConnecting, err, nil)
	return true
}

// another reports whether there is another token, or the host does not wait for one.
func (c *connection) another(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, maxRenewal)
	defer cancel()
	found := make(chan bool, 1)
	go func() { found <- c.auth.another(ctx) }()
	select {
	case is := <-found:
		return is
	case <-c.again:
		cancel()
		<-found
		return true
	}
}

// rest waits until the next attempt is due, or asked for. It returns false when ctx is
// done.
func (c *connection) rest(ctx context.Context, err error, failures int) bool {
	now := time.Now()
	notBefore := now.Add(retryAfter(err, now))
	next := later(now.Add(c.opts.backoff(failures)), notBefore)
	forget(c.wanted) // it was for the attempt that has failed
	c.become(StateBackoff, err, func() {
		c.failures, c.tries, c.next, c.notBefore = failures, c.tries+1, next, notBefore
	})
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case <-timer.C:
			waiting = false
		case <-c.again:
			waiting = false
		case <-c.wanted:
			if soon := later(now.Add(c.opts.MinBackoff), notBefore); soon.Before(next) {
				timer.Reset(max(0, time.Until(soon)))
			}
		case <-ctx.Done():
			return false
		}
	}
	c.become(StateConnecting, err, func() { c.next, c.notBefore = time.Time{}, time.Time{} })
	return true
}

func (c *connection) healthInterval(l *link) time.Duration {
	// A request over streamable HTTP stands for itself: there is no connection that could
	// be dead without anybody noticing, and a vendor counts requests.
	if c.opts.HealthInterval < 0 || !l.pings() || l.perRequest() {
		return 0
	}
	return c.opts.HealthInterval
}

// newTicker returns a ticker that never ticks if d is zero.
func newTicker(d time.Duration) *time.Ticker {
	if d > 0 {
		return time.NewTicker(d)
	}
	t := time.NewTicker(time.Hour)
	t.Stop()
	return t
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
