package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
)

const (
	megabyte = 1e6
	kilobyte = 1e3
)

// heap returns the bytes that are in use after everything else was collected.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the first one only empties the pools
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// heapCatalog counts the tools too: whoever has a catalog needs them nowhere else.
func heapCatalog(ctx context.Context, env *Env) (row Row, err error) {
	document, err := json.Marshal(env.servers(env.Sizes.Tools))
	if err != nil {
		return row, err
	}
	var kept []float64
	for range env.Sizes.Heaps {
		before := heap()
		c, err := fill(ctx, env.servers(env.Sizes.Tools))
		if err != nil {
			return row, err
		}
		kept = append(kept, (heap()-before)/megabyte)
		runtime.KeepAlive(c)
	}
	row.Measured = numbers(kept)
	row.Baseline = &Baseline{"the tools as JSON", numbers([]float64{float64(len(document)) / megabyte})}
	return row, nil
}

// heapConversation averages over many conversations with handles that are kept.
func heapConversation(ctx context.Context, env *Env) (row Row, err error) {
	s := env.servers(toolsPerServer)[0]
	server, stop := inProcess(s.Name, s.Tools)
	defer stop()
	store := conversation.NewMemory(nil)
	c, err := env.conductor(ctx, store, true, server)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var names []string
	for _, t := range c.Tools()[:5] {
		names = append(names, t.ID())
	}
	var kept []float64
	var last *conductor.Conversation
	for range env.Sizes.Heaps {
		handles := make([]*conductor.Conversation, env.Sizes.Conversations)
		before := heap()
		for i := range handles {
			if handles[i], err = remember(ctx, c, store, names); err != nil {
				return row, err
			}
		}
		kept = append(kept, (heap()-before)/kilobyte/float64(len(handles)))
		last = handles[len(handles)-1]
		runtime.KeepAlive(handles)
	}
	stored, err := store.Load(ctx, (&conversation.States{}).Key(last.ID()))
	if err != nil {
		return row, err
	}
	row.Measured = numbers(kept)
	row.Baseline = &Baseline{"what it remembers as JSON", numbers([]float64{float64(len(stored.Data)) / kilobyte})}
	row.Notes = append(row.Notes, fmt.Sprintf("a sample is the average of %d conversations", env.Sizes.Conversations))
	return row, nil
}

// remember makes a conversation with the tools and three imports, which programs
// would have made.
func remember(ctx context.Context, c *conductor.Conductor, store conversation.Store, tools []string) (*conductor.Conversation, error) {
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		return nil, err
	}
	if _, err := conv.LoadToolSpec(ctx, tools...); err != nil {
		return nil, err
	}
	states := &conversation.States{Store: store}
	_, err = states.Update(ctx, conv.ID(), func(s *conversation.State) error {
		s.Counters.Add(conversation.Counters{Runs: 1})
		for i := range 3 {
			s.Bind(conversation.Binding{Name: fmt.Sprintf("server%d", i), Specifier: fmt.Sprintf("./mcp/server%d", i), Export: "*"})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = conv.LoadToolSpec(ctx, tools...) // lets the handle see the imports
	return conv, err
}

// heapConnection averages over connections to processes, in turns with sessions of
// the SDK alone.
func heapConnection(ctx context.Context, env *Env) (row Row, err error) {
	if err := connections(ctx, env, 1, nil); err != nil { // what is needed once
		return row, err
	}
	if err := sessions(ctx, env, 1, nil); err != nil {
		return row, err
	}
	n := env.Sizes.Connections
	var kept, alone float64
	before := heap()
	if err := connections(ctx, env, n, func() { kept = heap() - before }); err != nil {
		return row, err
	}
	before = heap()
	if err := sessions(ctx, env, n, func() { alone = heap() - before }); err != nil {
		return row, err
	}
	row.Measured = numbers([]float64{kept / megabyte / float64(n)})
	row.Baseline = &Baseline{"a go-sdk session to it", numbers([]float64{alone / megabyte / float64(n)})}
	row.Notes = append(row.Notes, fmt.Sprintf("the average of %d connections", n))
	return row, nil
}

// connections opens n connections, calls open, and closes them.
func connections(ctx context.Context, env *Env, n int, open func()) (err error) {
	servers := make([]mcpclient.Server, n)
	for i := range servers {
		servers[i] = env.Echo
		servers[i].Name = fmt.Sprintf("%s%d", echoName, i)
	}
	client, err := mcpclient.Connect(ctx, servers, &mcpclient.Options{StartupWait: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	for _, status := range client.Status() {
		if status.State != mcpclient.StateReady {
			return fmt.Errorf("server %s is %s: %w", status.Name, status.State, status.Err)
		}
	}
	if open != nil {
		open()
	}
	return nil
}

// sessions does the same with the SDK alone.
func sessions(ctx context.Context, env *Env, n int, open func()) (err error) {
	var opened []io.Closer
	defer func() {
		for _, session := range opened {
			err = errors.Join(err, session.Close())
		}
	}()
	for range n {
		session, err := env.direct(ctx)
		if err != nil {
			return err
		}
		opened = append(opened, session)
		if _, err := session.ListTools(ctx, nil); err != nil { // as every client does first
			return err
		}
	}
	if open != nil {
		open()
	}
	return nil
}
