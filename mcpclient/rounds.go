package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sync/errgroup"
)

// Bounds of a request that takes several rounds. In an idle one the server asks for
// nothing, and has the request sent again.
const (
	maxRounds     = 10
	maxIdleRounds = 3
)

// inRounds is middleware that answers what a server asks for in a result, and sends the
// request again with the answers (protocol 2026-07-28). The SDK does so in goroutines of
// its own, where a panic ends the process; here each question goes the way of those that
// come as requests.
func (l *link) inRounds(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		idle := 0
		for range maxRounds {
			res, err := next(ctx, method, req)
			if err != nil {
				return res, err
			}
			questions, state := asks(res)
			if questions == nil {
				return res, nil
			}
			if len(questions) == 0 {
				if idle++; idle == maxIdleRounds {
					return nil, fmt.Errorf("the server has put the request off %d times", idle)
				}
			}
			answers, err := l.answerAll(ctx, questions)
			if err != nil {
				return nil, err
			}
			if req = withAnswers(l.session, req, answers, state); req == nil {
				return res, nil
			}
		}
		return nil, fmt.Errorf("the server has asked for something %d times over", maxRounds)
	}
}

// asks returns what a result asks for, nil if it is a result.
func asks(res mcp.Result) (mcp.InputRequestMap, string) {
	switch r := res.(type) {
	case *mcp.CallToolResult:
		return r.InputRequests, r.RequestState
	case *mcp.GetPromptResult:
		return r.InputRequests, r.RequestState
	case *mcp.ReadResourceResult:
		return r.InputRequests, r.RequestState
	}
	return nil, ""
}

// withAnswers returns req for its next round.
func withAnswers(session *mcp.ClientSession, req mcp.Request, answers mcp.InputResponseMap, state string) mcp.Request {
	switch p := req.GetParams().(type) {
	case *mcp.CallToolParams:
		next := *p
		next.InputResponses, next.RequestState = answers, state
		return &mcp.ClientRequest[*mcp.CallToolParams]{Session: session, Params: &next}
	case *mcp.GetPromptParams:
		next := *p
		next.InputResponses, next.RequestState = answers, state
		return &mcp.ClientRequest[*mcp.GetPromptParams]{Session: session, Params: &next}
	case *mcp.ReadResourceParams:
		next := *p
		next.InputResponses, next.RequestState = answers, state
		return &mcp.ClientRequest[*mcp.ReadResourceParams]{Session: session, Params: &next}
	}
	return nil
}

// answerAll answers the questions of one round, all at the same time.
func (l *link) answerAll(ctx context.Context, questions mcp.InputRequestMap) (mcp.InputResponseMap, error) {
	var mu sync.Mutex
	answers := make(mcp.InputResponseMap, len(questions))
	group, ctx := errgroup.WithContext(ctx)
	for id, question := range questions {
		group.Go(func() error {
			method, req := incoming(l.session, question)
			if req == nil {
				return errors.New("the server asks for something unknown")
			}
			res, err := l.receive(ctx, method, req)
			if err != nil {
				return fmt.Errorf("%s: %w", method, err)
			}
			answer, ok := res.(mcp.InputResponse)
			if !ok {
				return fmt.Errorf("%s has no answer", method)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[id] = answer
			return nil
		})
	}
	return answers, group.Wait()
}
