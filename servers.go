package conductor

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// loadPatience is how long loading a tool whose types are known waits for its server,
// which may have other ones when it is back.
const loadPatience = time.Second

// indexed is what the catalog and the module of a server were made of.
type indexed struct {
	title, instructions string
	capabilities        mcpclient.Capabilities
	tools               []mcpclient.Tool
}

// connect fills the client, the catalog and the modules.
func (c *Conductor) connect(ctx context.Context) error {
	for _, s := range c.opts.Servers {
		// The client says what is wrong with a name that is there twice.
		if err := c.reserve(s.Name); err != nil && !errors.Is(err, errNameTaken) {
			return err
		}
	}
	catalog, err := catalog.New(&c.opts.Catalog)
	if err != nil {
		return err
	}
	c.catalog = catalog
	opts := c.opts.Client
	opts.Host = pausing(opts.Host)
	opts.OnChange = func(s mcpclient.Status, tools []mcpclient.Tool) {
		c.follow(s, tools)
		if c.opts.Client.OnChange != nil {
			c.opts.Client.OnChange(s, tools)
		}
	}
	c.client, err = mcpclient.Connect(ctx, c.opts.Servers, &opts)
	return err
}

var errNameTaken = errors.New("the name is used already")

// reserve takes a name for a server, and the module path that follows from it.
func (c *Conductor) reserve(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.names {
		switch {
		case other == name:
			return fmt.Errorf("server %q: %w", name, errNameTaken)
		case codegen.ModulePath(other) == codegen.ModulePath(name):
			return fmt.Errorf("servers %q and %q would both be the module %s: rename one", other, name, codegen.ModulePath(name))
		case strings.HasPrefix(name, other+"."), strings.HasPrefix(other, name+"."):
			// Tools are known, loaded and permitted as "server.tool".
			return fmt.Errorf("the names of tools of servers %q and %q could be the same: rename one", other, name)
		}
	}
	c.names = append(c.names, name)
	return nil
}

func (c *Conductor) unreserve(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = slices.DeleteFunc(c.names, func(other string) bool { return other == name })
	delete(c.observed, name)
}

// serverNames returns the names of all servers, in the order in which they were added.
func (c *Conductor) serverNames() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.names)
}

// AddServer connects to one more server and waits for it like [New]: one that cannot be
// connected is no error. The error is not nil if its configuration cannot work, if its
// name or its module's is taken, or if the context ended; then it was not added.
func (c *Conductor) AddServer(ctx context.Context, server mcpclient.Server) error {
	if err := c.open(); err != nil {
		return err
	}
	if err := c.reserve(server.Name); err != nil {
		return fmt.Errorf("conductor: %w", err)
	}
	if err := c.client.Add(ctx, server); err != nil {
		c.unreserve(server.Name)
		return fmt.Errorf("conductor: %w", err)
	}
	c.sharing.soon() // others may know something of it
	return nil
}

// RemoveServer ends a server and forgets it and its tools. Programs that are running
// cannot call it any more. The error wraps [mcpclient.ErrUnknownServer] if there is none,
// and says else what of it could not be ended.
func (c *Conductor) RemoveServer(name string) error {
	err := c.client.Remove(name)
	if !errors.Is(err, mcpclient.ErrUnknownServer) {
		c.unreserve(name)
	}
	return wrapped(err)
}

// DisableServer ends a server, whose tools cannot be found or called until
// [Conductor.EnableServer]. See [Conductor.RemoveServer] for the error.
func (c *Conductor) DisableServer(name string) error { return wrapped(c.client.Disable(name)) }

// EnableServer begins to connect to a server that was disabled. See
// [Conductor.RemoveServer] for the error.
func (c *Conductor) EnableServer(name string) error { return wrapped(c.client.Enable(name)) }

// ReconnectServer replaces the connection to a server, or tries to connect at once,
// whatever the reason why that failed before; see [mcpclient.Client.Reconnect].
func (c *Conductor) ReconnectServer(name string) error { return wrapped(c.client.Reconnect(name)) }

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("conductor: %w", err)
}

// follow keeps catalog and modules to what a server offers. The tools of one that is
// lost stay known: a call has it tried again, and says what has become of it.
func (c *Conductor) follow(s mcpclient.Status, tools []mcpclient.Tool) {
	switch {
	case s.State.Available():
		c.index(s, tools)
	case s.State == mcpclient.StateDisabled, s.State == mcpclient.StateClosed:
		c.catalog.RemoveServer(s.Name)
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.modules, s.Name)
		delete(c.indexed, s.Name)
		delete(c.presentations, s.Name)
		c.generation++
	}
}

// index makes the tools of a server known, if they are not so already.
func (c *Conductor) index(s mcpclient.Status, tools []mcpclient.Tool) {
	now := indexed{title: s.Title, instructions: s.Instructions, capabilities: s.Capabilities, tools: tools}
	c.mu.Lock()
	if before, ok := c.indexed[s.Name]; ok && reflect.DeepEqual(before, now) {
		c.mu.Unlock()
		return
	}
	module := codegen.NewServer(s.Name, tools, &codegen.Options{
		BridgeModule: sandbox.BridgeModule, Resources: s.Capabilities.Resources, Prompts: s.Capabilities.Prompts,
	})
	c.modules[s.Name], c.indexed[s.Name], c.presentations[s.Name] = module, now, present(s, module, tools)
	c.generation++
	for _, t := range tools {
		module.SetObserved(t.Name, c.observedOf(s.Name).known[shapeOf{t.Name, module.SchemaHash(t.Name)}])
	}
	c.mu.Unlock()
	entry := catalog.Server{Name: s.Name, Title: s.Title, Description: s.Instructions, Tools: tools}
	embed, err := c.catalog.SetWords(entry)
	switch {
	case err != nil:
		c.opts.Logger.Warn("conductor: indexing the tools of a server", "server", s.Name, "error", err)
	case embed != nil:
		c.mu.RLock() // against Close, which waits for the background
		defer c.mu.RUnlock()
		if c.open() == nil {
			c.background.Go(func() { c.embed(s.Name, embed) })
		}
	}
}

const (
	embedPause    = 15 * time.Second // before a failed embedding is tried again, doubling
	embedPauseMax = 10 * time.Minute // up to this
)

// embed has the tools of a server embedded, however long a service takes or is down:
// they can be found by their words meanwhile.
func (c *Conductor) embed(server string, embed func(context.Context) error) {
	for pause := embedPause; ; pause = min(2*pause, embedPauseMax) {
		err := embed(c.closing)
		if err == nil || c.closing.Err() != nil {
			return
		}
		c.opts.Logger.Warn("conductor: embedding the tools of a server; they are found by words until it succeeds", "server", server, "error", err, "next", pause)
		select {
		case <-time.After(pause):
		case <-c.closing.Done():
			return
		}
	}
}

// configured tells whether there is a server of this name.
func (c *Conductor) configured(name string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Contains(c.names, name)
}

// module returns the code generator of a server, or nil if its tools are not known.
func (c *Conductor) module(server string) *codegen.Server {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.modules[server]
}

// generator is module for a server whose tools were known a moment ago: if it has been
// removed since, the generator is one without tools.
func (c *Conductor) generator(server string) *codegen.Server {
	if m := c.module(server); m != nil {
		return m
	}
	return codegen.NewServer(server, nil, &codegen.Options{BridgeModule: sandbox.BridgeModule})
}

// loadable returns the code generators of all servers whose tools are known, in the
// order in which the servers were added.
func (c *Conductor) loadable() []*codegen.Server {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var modules []*codegen.Server
	for _, name := range c.names {
		if m := c.modules[name]; m != nil {
			modules = append(modules, m)
		}
	}
	return modules
}

// settle waits until the tools of the servers of these ids are known, or the attempt
// to connect to them has failed.
func (c *Conductor) settle(ctx context.Context, ids []string) error {
	for _, name := range c.serversOf(ids) {
		if c.module(name) != nil {
			continue
		}
		if err := c.client.Settle(ctx, name); err != nil {
			return fmt.Errorf("conductor: server %s is still connecting: %w", name, err)
		}
	}
	return nil
}

// wake is settle for tools that are about to be used: servers that could not be
// connected are tried again.
func (c *Conductor) wake(ctx context.Context, ids []string) error {
	for _, name := range c.serversOf(ids) {
		wait, cancel := ctx, func() {}
		if c.module(name) != nil {
			wait, cancel = context.WithTimeout(ctx, loadPatience)
		}
		err := c.client.Wake(wait, name)
		cancel()
		if err != nil && (wait == ctx || ctx.Err() != nil) {
			return fmt.Errorf("conductor: server %s is still connecting: %w", name, err)
		}
	}
	return nil
}

// serversOf returns the names of the servers that have, or could have, these tools.
func (c *Conductor) serversOf(ids []string) []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var names []string
	for _, name := range c.names {
		if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(strings.TrimSpace(id), name+".") }) {
			names = append(names, name)
		}
	}
	return names
}
