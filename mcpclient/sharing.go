package mcpclient

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Sharing says who shares a connection to a server.
type Sharing string

// The ways of sharing. Empty means shared.
const (
	// SharingShared is one connection for all conversations.
	SharingShared Sharing = "shared"
	// SharingPerConversation is a connection for each [CallOptions.Conversation], for
	// servers that keep something between calls, such as a browser. It is made by a
	// conversation's first call; when it is lost, or ends after [Server.IdleTimeout], what
	// the server kept is lost too.
	SharingPerConversation Sharing = "per-conversation"
)

// The defaults of Server.
const (
	defaultMaxConnections = 8
	defaultIdleTimeout    = 10 * time.Minute
)

// shared is what all connections to one server have in common.
type shared struct {
	auth    *authorizer // nil without tokens; one login is enough for all
	secrets *secrets
	turns   *turns
}

func newShared(s *Server, o *Options) shared {
	auth := newAuthorizer(s, o)
	return shared{auth: auth, secrets: newSecrets(s, auth), turns: newTurns()}
}

// pool keeps the connections of conversations to one server.
type pool struct {
	server Server
	opts   *Options
	common shared

	mu      sync.Mutex
	open    bool
	members map[string]*member
	ending  sync.WaitGroup
	errs    []error
}

// member is the connection of one conversation.
type member struct {
	*connection
	calls int
	since time.Time   // of the last call's end
	idle  *time.Timer // ends it; nil before the first call has ended
}

func newPool(s Server, o *Options, common shared) *pool {
	return &pool{server: s, opts: o, common: common, members: map[string]*member{}}
}

// take returns the connection of a conversation, making it if need be: in place of the
// one that was unused the longest if there are too many. The caller must give it back.
func (p *pool) take(conversation string) (*member, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open {
		return nil, fmt.Errorf("%w: %q is not in use", ErrUnavailable, p.server.Name)
	}
	m := p.members[conversation]
	if m == nil {
		if len(p.members) >= p.server.MaxConnections && !p.evict() {
			return nil, fmt.Errorf("%w: %q has %d connections, all of them busy with calls of other conversations; try again in a moment, or raise MaxConnections",
				ErrUnavailable, p.server.Name, len(p.members))
		}
		m = &member{connection: newConnection(p.server, p.opts, p.common, func(Status, []Tool) {})}
		m.conversation = conversation
		p.members[conversation] = m
		m.start()
	}
	m.calls++
	if m.idle != nil {
		m.idle.Stop()
	}
	return m, nil
}

// of returns the connection for a conversation, this one if they share it. The caller
// must give it back.
func (c *connection) of(conversation string) (*connection, func(), error) {
	if c.pool == nil || conversation == "" {
		return c, func() {}, nil
	}
	m, err := c.pool.take(conversation)
	if err != nil {
		return nil, nil, err
	}
	return m.connection, func() { c.pool.give(conversation, m) }, nil
}

// give begins the idle time of a connection without calls.
func (p *pool) give(conversation string, m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.calls--; m.calls > 0 {
		return
	}
	m.since = time.Now()
	m.idle = time.AfterFunc(p.server.IdleTimeout, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if m.calls == 0 && p.members[conversation] == m {
			p.end(conversation, errReleased)
		}
	})
}

// evict ends the connection that was unused the longest. It reports false if all are in
// use.
func (p *pool) evict() bool {
	oldest, found := "", false
	for conversation, m := range p.members {
		if m.calls == 0 && (!found || m.since.Before(p.members[oldest].since)) {
			oldest, found = conversation, true
		}
	}
	if found {
		p.end(oldest, errReleased)
	}
	return found
}

// errReleased ends the calls of a conversation that is over.
var errReleased = errors.New("the conversation's connection was ended")

// end ends a connection in the background. It is called with the lock. The cause is what
// calls return.
func (p *pool) end(conversation string, cause error) {
	if cause != ErrClosed { // the client is of use still
		cause = fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	m := p.members[conversation]
	delete(p.members, conversation)
	if m.idle != nil {
		m.idle.Stop()
	}
	p.ending.Go(func() {
		if err := m.stop(StateClosed, cause); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.errs) < maxUnclosed {
				p.errs = append(p.errs, err)
			}
		}
	})
}

// release ends the connection of a conversation, if there is one.
func (p *pool) release(conversation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.members[conversation] != nil {
		p.end(conversation, errReleased)
	}
}

// begin lets connections be made, and finish ends them all and waits for that.
func (p *pool) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = true
}

func (p *pool) finish(cause error) error {
	p.mu.Lock()
	p.open = false
	for conversation := range p.members {
		p.end(conversation, cause)
	}
	p.mu.Unlock()
	p.ending.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// reconnect replaces all connections.
func (p *pool) reconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		m.reconnect()
	}
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members)
}
