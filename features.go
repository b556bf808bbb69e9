package conductor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// What a server offers beside its tools, resources and prompts, is found, loaded and
// permitted like a tool: its name is "server.resources" or "server.prompts". Having
// loaded a tool of the server is not enough: a host that lets a conversation have one
// tool of a database has not let it have all rows.

// Features returns the names under which what the servers offer beside their tools can
// be loaded, by server: "docs.resources", "docs.prompts".
func (c *Conductor) Features() []string {
	var ids []string
	for _, server := range c.loadable() {
		for _, feature := range server.Features() {
			ids = append(ids, server.Name()+"."+feature)
		}
	}
	return ids
}

// A callee is what a program may have called.
type callee struct {
	id     string       // what must be loaded and permitted
	tool   catalog.Tool // as policies see it
	method string       // of MCP, for a feature; empty for a tool
}

// callee finds what a program's target stands for.
func (c *Conductor) callee(target string) (callee, bool) {
	if t, ok := c.catalog.Tool(target); ok {
		return callee{id: target, tool: t}, true
	}
	for _, server := range c.loadable() {
		feature, method, ok := server.Method(target)
		if !ok {
			continue
		}
		t := featureTool(server, feature)
		t.Name = strings.TrimPrefix(target, server.Name()+".")
		return callee{id: server.Name() + "." + feature, tool: t, method: method}, true
	}
	return callee{}, false
}

// feature finds a feature by "server.resources" or "server.prompts".
func (c *Conductor) feature(id string) (catalog.Tool, bool) {
	for _, server := range c.loadable() {
		name, ok := strings.CutPrefix(id, server.Name()+".")
		if ok && slices.Contains(server.Features(), name) {
			return featureTool(server, name), true
		}
	}
	return catalog.Tool{}, false
}

// known returns what to load for a name that a program used, if there is such a thing.
func (c *Conductor) known(id string) (string, bool) {
	if to, ok := c.callee(id); ok {
		return to.id, true
	}
	_, ok := c.feature(id)
	return id, ok
}

// pausing makes the clock of a program stand still while a person, or a model, is asked
// in the middle of its call.
func pausing(h mcpclient.Host) mcpclient.Host {
	if elicit := h.Elicit; elicit != nil {
		h.Elicit = func(ctx context.Context, e *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
			defer sandbox.PauseClock(ctx)()
			return elicit(ctx, e)
		}
	}
	if sample := h.Sample; sample != nil {
		h.Sample = func(ctx context.Context, s *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) {
			defer sandbox.PauseClock(ctx)()
			return sample(ctx, s)
		}
	}
	return h
}

// featureTool describes a feature as if it were a tool.
func featureTool(server *codegen.Server, feature string) catalog.Tool {
	return catalog.Tool{
		Server: server.Name(), Name: feature, Description: "What the server offers beside its tools: " + feature + ".",
		Annotations: mcpclient.Annotations{ReadOnlyHint: true},
	}
}

// request makes the call of a feature. The arguments are the program's, and programs
// can forge them.
func (c *Conductor) request(ctx context.Context, to callee, raw json.RawMessage, opts *mcpclient.CallOptions) (json.RawMessage, error) {
	var args struct {
		URI  string            `json:"uri"`
		Name string            `json:"name"`
		Args map[string]string `json:"args"`
	}
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, fmt.Errorf("%s: uri and name must be strings, and args an object of strings", to.tool.ID())
	}
	var value any
	var err error
	switch server := to.tool.Server; to.method {
	case "resources/list":
		value, err = c.client.Resources(ctx, server, opts)
	case "resources/templates/list":
		value, err = c.client.ResourceTemplates(ctx, server, opts)
	case "resources/read":
		value, err = c.client.ReadResource(ctx, server, args.URI, opts)
	case "prompts/list":
		value, err = c.client.Prompts(ctx, server, opts)
	case "prompts/get":
		value, err = c.client.Prompt(ctx, server, args.Name, args.Args, opts)
	default:
		err = fmt.Errorf("%s: there is no method %s", to.tool.ID(), to.method)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}
