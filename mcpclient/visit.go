package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Bounds of what a server has users visit.
const (
	maxVisits  = 4   // for one request
	maxVisited = 100 // that are not waited for yet
)

// visits are what users were sent to, by the id of the elicitation. The channel is
// closed when the server says that it is done, which may be before anybody waits.
type visits struct {
	mu   sync.Mutex
	done map[string]chan struct{}
}

// of returns the channel for an id, and nil if there are too many.
func (v *visits) of(id string) chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	done, ok := v.done[id]
	if !ok && len(v.done) < maxVisited {
		if v.done == nil {
			v.done = map[string]chan struct{}{}
		}
		done = make(chan struct{})
		v.done[id] = done
	}
	return done
}

func (v *visits) forget(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.done, id)
}

// complete is told of a visit that is done.
func (v *visits) complete(_ context.Context, req *mcp.ElicitationCompleteNotificationRequest) {
	done := v.of(req.Params.ElicitationID)
	if done == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-done:
	default:
		close(done)
	}
}

// visitFirst is middleware for servers that refuse a request until the user has visited
// a URL (MCP 2025-11-25, "URL Elicitation Required Error"): the host asks the user, and
// when the server says that it is done the request is made again, once. It was not
// carried out before, so that does no harm.
func (a *asked) visitFirst(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		res, err := next(ctx, method, req)
		var refused *jsonrpc.Error
		if !errors.As(err, &refused) || refused.Code != mcp.CodeURLElicitationRequired || !a.visit(ctx, refused.Data) {
			return res, err
		}
		return next(ctx, method, req)
	}
}

// visit reports whether the user has done everything that a server wants done first.
func (a *asked) visit(ctx context.Context, data json.RawMessage) bool {
	var wanted struct {
		Elicitations []struct {
			Message string `json:"message"`
			URL     string `json:"url"`
			ID      string `json:"elicitationId"`
		} `json:"elicitations"`
	}
	if json.Unmarshal(data, &wanted) != nil || len(wanted.Elicitations) == 0 || len(wanted.Elicitations) > maxVisits {
		return false
	}
	for _, e := range wanted.Elicitations {
		done := a.visited.of(e.ID)
		if done == nil || e.URL == "" {
			return false
		}
		defer a.visited.forget(e.ID)
		answer, err := a.elicit(ctx, &mcp.ElicitRequest{Params: &mcp.ElicitParams{Mode: "url", Message: e.Message, URL: e.URL, ElicitationID: e.ID}})
		if err != nil || answer.Action != string(ElicitAccept) {
			return false
		}
		select {
		case <-done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
