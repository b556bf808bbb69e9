package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// A programRun is the host's side of one program: it makes its calls.
type programRun struct {
	v     *Conversation
	id    string
	state *conversation.State // when the program began: its loaded tools are what it may call
	began time.Time
	log   func(sandbox.Log) // nil if nobody listens

	prompt     int64        // tokens, when the program began
	callTokens atomic.Int64 // of the arguments and results of all calls
}

func (v *Conversation) newRun(state *conversation.State, log func(sandbox.Log)) *programRun {
	return &programRun{v: v, id: uuid.NewString(), state: state, began: time.Now(), log: log, prompt: v.promptTokens()}
}

// counters are what the run adds to the conversation's.
func (r *programRun) counters(result *Result, code string, took time.Duration) conversation.Counters {
	c := conversation.Counters{
		Runs: 1, Calls: int64(len(result.Calls)), RunTime: took,
		PromptTokens: r.prompt, TextTokens: int64(estimateLong(code) + estimateLong(result.Text())),
		CallTokens: r.callTokens.Load(),
	}
	if c.Calls > 0 {
		c.CallingRuns, c.SchemaTokens = 1, r.v.schemaTokens()
	}
	return c
}

// progressSpacing keeps a server from filling a log with its progress.
const progressSpacing = 100 * time.Millisecond

// progress returns what puts a server's reports on a call into the program's log.
func (r *programRun) progress(tool string) func(mcpclient.Progress) {
	if r.log == nil {
		return nil
	}
	var last time.Time
	return func(p mcpclient.Progress) {
		done := p.Total > 0 && p.Progress >= p.Total
		if !done && time.Since(last) < progressSpacing {
			return
		}
		last = time.Now()
		message := fmt.Sprintf("%s: %v", tool, p.Progress)
		if p.Total > 0 {
			message += fmt.Sprintf("/%v", p.Total)
		}
		if text := oneLine(p.Message, maxReason); text != "" {
			message += " " + text
		}
		r.log(sandbox.Log{Level: slog.LevelInfo, Message: message, Elapsed: time.Since(r.began)})
	}
}

// oneAtATime serializes what is told of several goroutines.
func oneAtATime(log func(sandbox.Log)) func(sandbox.Log) {
	if log == nil {
		return nil
	}
	var mu sync.Mutex
	return func(l sandbox.Log) {
		mu.Lock()
		defer mu.Unlock()
		log(l)
	}
}

// call makes one tool call and counts what it would have taken without a program.
func (r *programRun) call(ctx context.Context, call sandbox.Call) (json.RawMessage, error) {
	value, err := r.make(ctx, call)
	tokens := estimateLong(call.Args) + estimateLong(value)
	if err != nil {
		tokens += estimateLong(err.Error())
	}
	r.callTokens.Add(int64(tokens))
	return value, err
}

// make makes one tool call, if it is permitted and recorded. Programs can forge a
// target, so what they may call is checked again here.
func (r *programRun) make(ctx context.Context, call sandbox.Call) (json.RawMessage, error) {
	c, record := r.v.c, r.record(call)
	to, ok := c.callee(call.Target)
	if !ok || !r.hasLoaded(to) {
		explained := errors.New(r.v.explainTool(call.Target))
		c.recordDenial(ctx, record, explained)
		return nil, explained
	}
	if err := r.permit(ctx, to, call.Args); err != nil {
		c.recordDenial(ctx, record, err)
		return nil, err
	}
	if err := c.recordStart(ctx, record); err != nil {
		return nil, denial(call.Target, "it could not be recorded, and calls that are not recorded are not made here")
	}
	t, started := to.tool, time.Now()
	if to.method != "" {
		value, err := c.request(ctx, to, call.Args, &mcpclient.CallOptions{Conversation: r.v.id})
		c.recordEnd(ctx, record, time.Since(started), &mcpclient.Result{}, err)
		return value, err
	}
	server := c.generator(t.Server)
	result, err := c.client.Call(ctx, t.Server, t.Name, call.Args, &mcpclient.CallOptions{
		Conversation: r.v.id, OnProgress: r.progress(t.ID()),
	})
	c.recordEnd(ctx, record, time.Since(started), result, err)
	if err != nil {
		return nil, err
	}
	if result.IsError {
		return nil, toolError(t.ID(), server.Signature(t.Name), result)
	}
	value, err := toolValue(result, server.WrapsResult(t.Name))
	if err == nil {
		c.observe(server, &t, value)
	}
	return value, err
}

// hasLoaded tells whether the conversation has loaded what is to be called. A tool
// cannot take the place of a feature that was loaded by the same name.
func (r *programRun) hasLoaded(to callee) bool {
	return slices.ContainsFunc(r.state.Loaded, func(l conversation.LoadedTool) bool {
		return l.ID == to.id && (l.Hash == codegen.FeatureHash) == (to.method != "")
	})
}

// permit returns what the program reads if the policies do not permit the call.
func (r *programRun) permit(ctx context.Context, to callee, args json.RawMessage) error {
	t := to.tool
	id := t.ID()
	if !r.v.permits(to.id, to.further...) {
		return denial(id, forbidden)
	}
	err := r.v.approve(ctx, &PendingCall{ConversationID: r.v.id, User: r.v.user, Tool: t, Args: args})
	var denied *DeniedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &denied):
		return denial(id, denied.Reason)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	r.v.c.opts.Logger.Error("conductor: asking for the approval of a call", "tool", id, "conversation", r.v.id, "error", err)
	return denial(id, "whether it may be called could not be found out")
}
