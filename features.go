package conductor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	id      string       // what must be loaded and permitted
	further []string     // names of a feature's call, none of which may be denied
	tool    catalog.Tool // as policies see it
	method  string       // of MCP, for a feature; empty for a tool
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
		call := strings.TrimPrefix(t.Name, feature)
		return callee{
			id: server.Name() + "." + feature, further: []string{t.ID(), server.Name() + "." + server.FeatureKind(feature) + call},
			tool: t, method: method,
		}, true
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
	args, err := readRequest(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: uri and name must be strings, and args an object of strings: %w", to.tool.ID(), err)
	}
	var value any
	switch server := to.tool.Server; to.method {
	case "resources/list":
		value, err = c.client.Resources(ctx, server, opts)
	case "resources/templates/list":
		value, err = c.client.ResourceTemplates(ctx, server, opts)
	case "resources/read":
		value, err = c.client.ReadResource(ctx, server, args.uri, opts)
	case "prompts/list":
		value, err = c.client.Prompts(ctx, server, opts)
	case "prompts/get":
		value, err = c.client.Prompt(ctx, server, args.name, args.args, opts)
	default:
		err = fmt.Errorf("%s: there is no method %s", to.tool.ID(), to.method)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// requestArgs are the arguments of a feature's call.
type requestArgs struct {
	uri, name string
	args      map[string]string
}

// readRequest reads the arguments exactly as they are written: whoever approved them may
// have read a key in other letters, or that is there twice, in another way than
// [json.Unmarshal] does.
func readRequest(raw json.RawMessage) (args requestArgs, err error) {
	err = eachField(raw, func(key string, value json.RawMessage) error {
		switch key {
		case "uri":
			return json.Unmarshal(value, &args.uri)
		case "name":
			return json.Unmarshal(value, &args.name)
		case "args":
			args.args = map[string]string{}
			return eachField(value, func(key string, value json.RawMessage) error {
				var text string
				err := json.Unmarshal(value, &text)
				args.args[key] = text
				return err
			})
		}
		return fmt.Errorf("there is no argument %q", oneLine(key, maxAbout))
	})
	return args, err
}

// eachField calls read for each field of an object, which may be there once.
func eachField(object json.RawMessage, read func(key string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return errors.New("it is not an object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key := token.(string)
		if seen[key] {
			return fmt.Errorf("%q is there twice", oneLine(key, maxAbout))
		}
		seen[key] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}
