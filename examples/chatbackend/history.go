package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/conductor/conductor/conversation"
)

// What was said is a record of its own kind in the store in which Conductor keeps what
// it remembers.
func historyKey(id string) conversation.Key { return conversation.Key{Kind: "chat", ID: id} }

// saveTimeout bounds how long an answer waits for the store.
const saveTimeout = 10 * time.Second

// loadHistory returns what was said in a conversation, nothing for the empty id. The
// error wraps conversation.ErrNotFound if there is none.
func loadHistory(ctx context.Context, store conversation.Store, id string) ([]message, error) {
	if id == "" {
		return nil, nil
	}
	r, err := store.Load(ctx, historyKey(id))
	if err != nil {
		return nil, err
	}
	return decodeHistory(r)
}

func decodeHistory(r *conversation.Record) (history []message, err error) {
	if len(r.Data) > 0 {
		if err := json.Unmarshal(r.Data, &history); err != nil {
			return nil, fmt.Errorf("%v: %w", r.Key, err)
		}
	}
	return history, nil
}

// saveTurn appends a turn to what was said. It is done whatever has become of the user
// since.
func saveTurn(ctx context.Context, store conversation.Store, id string, turn []message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	_, err := conversation.Update(ctx, store, historyKey(id), func(r *conversation.Record) error {
		history, err := decodeHistory(r)
		if err != nil {
			return err
		}
		r.Data, err = json.Marshal(recent(append(history, turn...)))
		r.Expires = time.Now().Add(conversation.DefaultKeep)
		return err
	})
	return err
}
