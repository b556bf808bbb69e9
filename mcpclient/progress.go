package mcpclient

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// deadline ends a context after a time that can be extended up to a bound.
type deadline struct {
	step, most time.Duration
	last       time.Time // zero if it cannot be extended
	extended   atomic.Bool
	end        context.CancelCauseFunc
	timer      *time.Timer
}

// newDeadline returns a context that ends after step, or, if it is extended, after most.
func newDeadline(ctx context.Context, step, most time.Duration) (context.Context, *deadline) {
	ctx, end := context.WithCancelCause(ctx)
	d := &deadline{step: step, most: most, end: end}
	if most > step {
		d.last = time.Now().Add(most)
	}
	d.timer = time.AfterFunc(step, func() { end(d.late()) })
	return ctx, d
}

// late says how long the server had.
func (d *deadline) late() error {
	switch {
	case !d.extended.Load():
		return &timeoutError{what: "the server did not answer", d: d.step}
	case time.Now().Before(d.last):
		return &timeoutError{what: "the server did not answer, nor report more progress,", d: d.step}
	}
	return &timeoutError{what: "the server reported progress, and did not answer", d: d.most}
}

func (d *deadline) extends() bool { return !d.last.IsZero() }

// extend begins the step anew, as far as the bound allows.
func (d *deadline) extend() {
	if d.extends() {
		d.extended.Store(true)
		d.timer.Reset(max(0, min(d.step, time.Until(d.last))))
	}
}

func (d *deadline) stop() {
	d.timer.Stop()
	d.end(nil)
}

// followers are the calls of a link that want to hear of their progress.
type followers struct {
	mu   sync.Mutex
	last int64
	by   map[int64]*follower
}

type follower struct {
	mu   sync.Mutex     // held while tell runs, so that it does not after done
	tell func(Progress) // nil when it is over
}

// follow returns a token for the reports of one call, which go to tell until done.
func (l *link) follow(tell func(Progress)) (token int64, done func()) {
	f := &l.followers
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	token = f.last
	if f.by == nil {
		f.by = map[int64]*follower{}
	}
	one := &follower{tell: tell}
	f.by[token] = one
	return token, func() {
		f.mu.Lock()
		delete(f.by, token)
		f.mu.Unlock()
		one.mu.Lock()
		defer one.mu.Unlock()
		one.tell = nil
	}
}

// progressed passes a report on. Tokens come back as they are in JSON, so as float64.
func (l *link) progressed(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
	token, ok := req.Params.ProgressToken.(float64)
	f := &l.followers
	f.mu.Lock()
	one := f.by[int64(token)]
	f.mu.Unlock()
	if !ok || one == nil {
		return
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.tell != nil {
		one.tell(Progress{Progress: req.Params.Progress, Total: req.Params.Total, Message: clean(req.Params.Message, 1000)})
	}
}
