package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// faultyPatience is how long a call of a server that does not work waits.
const faultyPatience = 50 * time.Millisecond

// neighbour compares calls of a server beside others that do not work, and that are
// called all the time, with calls beside nobody, in turns.
func neighbour(ctx context.Context, env *Env) (row Row, err error) {
	faulty, stop := faultyServers(env)
	defer stop()
	c, err := mcpclient.Connect(ctx, append([]mcpclient.Server{env.echoServer()}, faulty...),
		&mcpclient.Options{StartupWait: -1, MinBackoff: 100 * time.Millisecond})
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if s := c.Status()[0]; s.State != mcpclient.StateReady {
		return row, fmt.Errorf("server %s is %s: %w", s.Name, s.State, s.Err)
	}
	var quiet, disturbed []time.Duration
	failed := map[string]int{}
	for turn := range env.Sizes.CallBlocks + 1 { // the first is not counted
		alone, err := callsOfEcho(ctx, c, env.Sizes.Calls)
		if err != nil {
			return row, err
		}
		beside, err := disturb(ctx, c, faulty, failed, func() ([]time.Duration, error) { return callsOfEcho(ctx, c, env.Sizes.Calls) })
		if err != nil {
			return row, err
		}
		if turn > 0 {
			quiet, disturbed = append(quiet, alone...), append(disturbed, beside...)
		}
	}
	row.Measured = times(disturbed)
	row.Baseline = &Baseline{"the same calls while the other servers are disabled", times(quiet)}
	for _, s := range faulty {
		row.Notes = append(row.Notes, fmt.Sprintf("%s: %d calls failed beside it", s.Name, failed[s.Name]))
	}
	return row, nil
}

// faultyServers returns servers of which each fails in its own way.
func faultyServers(env *Env) (servers []mcpclient.Server, stop func()) {
	over := func(handler http.HandlerFunc) (string, func()) {
		s := httptest.NewServer(handler)
		return s.URL, func() {
			s.CloseClientConnections()
			s.Close()
		}
	}
	hangs, stopHangs := over(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the end of the client is seen
		<-r.Context().Done()
	})
	refuses, stopRefuses := over(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of order", http.StatusInternalServerError)
	})
	exits := env.Echo
	exits.Name, exits.Args = "exits at once", append(slices.Clone(env.Echo.Args), "no such thing")
	dies := mcpclient.Server{Name: "dies in each call", Dial: func(context.Context) (mcp.Transport, error) {
		near, far := mcp.NewInMemoryTransports()
		s := mcp.NewServer(&mcp.Implementation{Name: "dies", Version: "1"}, nil)
		s.AddTool(&mcp.Tool{Name: "echo", InputSchema: json.RawMessage(`{"type":"object"}`)},
			func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				go func() { _ = r.Session.Close() }()
				return nil, errors.New("dead")
			})
		_, err := s.Connect(context.Background(), far, nil)
		return near, err
	}}
	servers = []mcpclient.Server{exits, dies, {Name: "hangs", URL: hangs, ConnectTimeout: time.Second}, {Name: "answers 500", URL: refuses}}
	for i := range servers {
		servers[i].Disabled = true // until its turn
	}
	return servers, func() {
		stopHangs()
		stopRefuses()
	}
}

// disturb has the faulty servers called without a pause while it measures.
func disturb(ctx context.Context, c *mcpclient.Client, faulty []mcpclient.Server, failed map[string]int, measure func() ([]time.Duration, error)) ([]time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	var calling sync.WaitGroup
	counts := make([]int, len(faulty))
	for i, s := range faulty {
		if err := c.Enable(s.Name); err != nil {
			cancel()
			return nil, err
		}
		calling.Go(func() {
			for ctx.Err() == nil {
				call, done := context.WithTimeout(ctx, faultyPatience)
				if _, err := c.Call(call, s.Name, "echo", nil, nil); err != nil {
					counts[i]++
				}
				<-call.Done() // one call each time, also of a server that refuses at once
				done()
			}
		})
	}
	took, err := measure()
	cancel()
	calling.Wait()
	for i, s := range faulty {
		failed[s.Name] += counts[i]
		err = errors.Join(err, c.Disable(s.Name))
	}
	return took, err
}

func callsOfEcho(ctx context.Context, c *mcpclient.Client, n int) ([]time.Duration, error) {
	args, err := json.Marshal(text{echoed})
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		result, err := c.Call(ctx, echoName, "echo", args, nil)
		took[i] = time.Since(start)
		if err != nil {
			return nil, err
		}
		if string(result.Structured) != string(args) {
			return nil, fmt.Errorf("the server answers %.100s", result.Structured)
		}
	}
	return took, nil
}
