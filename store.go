package conductor

import (
	"context"
	"fmt"
	"io"

	"github.com/conductor/conductor/conversation"
)

// openStore finds where conversations are kept. What it opens is closed by Close.
func (c *Conductor) openStore(ctx context.Context) error {
	c.states = conversation.States{Store: c.opts.Store, Keep: c.opts.KeepConversations}
	if c.states.Store == nil && c.opts.StoreURL != "" {
		store, err := conversation.Open(ctx, c.opts.StoreURL)
		if err != nil {
			return fmt.Errorf("conductor: the store: %w", err)
		}
		c.states.Store = store
		c.storeCloser, _ = store.(io.Closer)
	}
	c.shared = c.states.Store != nil
	if !c.shared {
		c.states.Store = conversation.NewMemory(nil)
	}
	return nil
}

// Conversations returns the conversations that are stored, page after page, without
// what they remember; see [conversation.Store.List].
func (c *Conductor) Conversations(ctx context.Context, cursor string, limit int) (*conversation.Page, error) {
	if err := c.open(); err != nil {
		return nil, err
	}
	page, err := c.states.Store.List(ctx, conversation.KindState, cursor, limit)
	if err != nil {
		return nil, fmt.Errorf("conductor: %w", err)
	}
	return page, nil
}
