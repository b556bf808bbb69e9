package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/conductor/conductor/conversation"
)

type storeReport struct {
	State string `json:"state"` // ok or failed
	// Store is its folder or its URL, without the password.
	Store         string `json:"store"`
	Conversations int    `json:"conversations"` // the first thousand
	Reason        string `json:"reason,omitempty"`
	Advice        string `json:"advice,omitempty"`
}

// examineStore opens a store and looks into it.
func examineStore(ctx context.Context, location string) *storeReport {
	r := &storeReport{State: "ok", Store: location}
	if strings.Contains(location, "://") {
		r.Store = "a URL that cannot be read"
		if u, err := url.Parse(location); err == nil {
			r.Store = u.Redacted()
		}
	}
	store, err := conversation.Open(ctx, location)
	if err == nil {
		var page *conversation.Page
		if page, err = store.List(ctx, conversation.KindState, "", conversation.MaxPage); err == nil {
			r.Conversations = len(page.Records)
		}
		if closer, ok := store.(io.Closer); ok {
			_ = closer.Close() // it was only looked into
		}
	}
	if err != nil {
		r.State, r.Reason, r.Advice = "failed", printable(err.Error()), "check conductor.store, and that what it names can be reached"
	}
	return r
}

func (r *storeReport) print(w io.Writer) {
	fmt.Fprint(w, "\nStore\n")
	if r.State == "ok" {
		fmt.Fprintf(w, "  ok        %s, %s\n", printable(r.Store), plural(r.Conversations, "conversation"))
		return
	}
	fmt.Fprintf(w, "  failed    %s\n", printable(r.Store))
	details(w, r.Reason, "", r.Advice)
}
