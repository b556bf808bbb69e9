package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// A Policy says which tools programs may call. The zero value permits all of them.
//
// Patterns are those of [path.Match] for the name "server.tool": * is any run of
// characters, also of dots and slashes, ? any one of them, [a-z] one of a range, and
// \ takes the meaning from the next one. They match whole names and distinguish
// upper from lower case: "github.*", "*.delete_*", "files.{read}" is no pattern.
//
// What a server offers beside its tools has the names "server.resources" and
// "server.prompts".
//
// Deny also goes by the name of a tool's function, which is what programs and prompts
// have: "notes.search_notes" denies the tool "notes.search-notes". It goes by the names
// of a feature's calls too, such as "server.resources.read" and "server.prompts.get",
// which are then denied like those that Approve denies.
//
// A tool that the patterns do not permit does not exist for the conversation: it is
// not found, not in the prompt, and cannot be loaded.
type Policy struct {
	// Allow are the tools that may be used. Empty means all.
	Allow []string
	// Deny are the tools that may not be used, even if Allow has them.
	Deny []string
	// Approve is asked before each call of a tool that the patterns permit: nil
	// allows it, [Deny] denies it with a reason that the program and its model read.
	// Any other error denies it too; its text goes to [Options.Logger] only.
	//
	// It may take its time, asking a person, say: the run's clock stands still until
	// it returns, though [sandbox.Options.WallTimeout] goes on. It must return when
	// its context is done. Calls that a program makes at the same time are asked for
	// at the same time.
	Approve func(ctx context.Context, call *PendingCall) error
}

// A PendingCall is what [Policy.Approve] decides about.
type PendingCall struct {
	ConversationID string
	// User is the one of [Conversation.As], empty if there is none.
	User string
	// Tool is the tool as its server describes it. Its Annotations say whether it
	// only reads; they are the server's word, see [mcpclient.Annotations].
	Tool mcpclient.Tool
	// Args are the arguments, a JSON value that the program chose. They may hold
	// secrets. Of a tool they go to the server as they are, which may take a key in other
	// letters, or the second of two that are the same, for the one that Approve has read:
	// look for the keys that there may be, and deny what has others.
	Args json.RawMessage
}

// A DeniedError is the denial of a call. The program catches it as a ToolError whose
// data is {denied: true, reason}.
type DeniedError struct {
	// Reason is for the model and its user.
	Reason string
}

func (e *DeniedError) Error() string { return "denied: " + e.Reason }

// Deny returns the error with which [Policy.Approve] denies a call.
func Deny(reason string) error { return &DeniedError{Reason: reason} }

// permits tells whether the patterns permit a tool, which has further names: to deny one
// of them is enough.
func (p *Policy) permits(id string, further []string) bool {
	matches := func(pattern string) bool { return match(pattern, id) }
	if len(p.Allow) > 0 && !slices.ContainsFunc(p.Allow, matches) || slices.ContainsFunc(p.Deny, matches) {
		return false
	}
	return !slices.ContainsFunc(p.Deny, func(pattern string) bool {
		return slices.ContainsFunc(further, func(name string) bool { return match(pattern, name) })
	})
}

// permitsSome tells whether the patterns may permit a tool of a server whose tools are
// not known.
func (p *Policy) permitsSome(server string) bool {
	prefix := server + "."
	mayMatch := func(pattern string) bool {
		literal := pattern
		if i := strings.IndexAny(pattern, "*?[\\"); i >= 0 {
			literal = pattern[:i]
		}
		n := min(len(literal), len(prefix))
		return literal[:n] == prefix[:n]
	}
	matchesAll := func(pattern string) bool { return match(pattern, prefix+unlikelyTool) }
	return (len(p.Allow) == 0 || slices.ContainsFunc(p.Allow, mayMatch)) && !slices.ContainsFunc(p.Deny, matchesAll)
}

// unlikelyTool is a name that a pattern matches only if it matches all.
const unlikelyTool = "\x01unlikely\x01"

// slashless makes a slash a character like others for path.Match. What it becomes is
// in no name.
var slashless = strings.NewReplacer("/", "\x00")

func match(pattern, id string) bool {
	ok, _ := path.Match(slashless.Replace(pattern), slashless.Replace(id)) // was checked by copied
	return ok
}

// copied returns a copy that its maker cannot change, if the patterns are right.
func (p Policy) copied() (Policy, error) {
	p.Allow, p.Deny = slices.Clone(p.Allow), slices.Clone(p.Deny)
	var problems []error
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"Allow", p.Allow}, {"Deny", p.Deny}} {
		for _, pattern := range list.patterns {
			if problem := checkPattern(pattern); problem != "" {
				problems = append(problems, fmt.Errorf("conductor: Policy.%s: %q: %s", list.name, pattern, problem))
			}
		}
	}
	return p, errors.Join(problems...)
}

// checkPattern says what is wrong with a pattern, also if it could never match.
func checkPattern(pattern string) string {
	if _, err := path.Match(slashless.Replace(pattern), ""); err != nil {
		return "is no pattern: is there a [ without its ], or a \\ at the end?"
	}
	if !strings.ContainsAny(pattern, ".*?[") {
		return `matches no tool: want "server.tool", such as "github.*" for all tools of a server`
	}
	return ""
}

// maxUser is how many bytes of a user's name are kept.
const maxUser = 200

// As returns a handle on the same conversation for one of its users, bound by the
// policy besides those that bind this handle already: a call must be permitted by all
// of them. The user is whom the audit record names; empty keeps this handle's. The
// policy may be nil. Neither is stored: a conversation that is resumed needs it again,
// so that nobody who can write to the store can widen it.
func (v *Conversation) As(user string, policy *Policy) (*Conversation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	as := &Conversation{c: v.c, id: v.id, user: v.user, policies: slices.Clip(v.policies), narrowed: v.narrowed, state: v.state}
	if user != "" {
		as.user = oneLine(user, maxUser)
	}
	if policy != nil {
		p, err := policy.copied()
		if err != nil {
			return nil, err
		}
		as.policies, as.narrowed = append(as.policies, &p), true
	}
	return as, nil
}

// permits tells whether the policies let the conversation know of a tool, or of what
// has further names.
func (v *Conversation) permits(id string, further ...string) bool {
	if len(v.policies) == 0 {
		return true
	}
	further = append(further, v.c.furtherNames(id)...)
	return !slices.ContainsFunc(v.policies, func(p *Policy) bool { return !p.permits(id, further) })
}

// furtherNames returns the names that a policy may have for a tool or a feature besides
// its own: that of its function, which is what programs and prompts show, and the one
// that a feature would have if no tool had it.
func (c *Conductor) furtherNames(id string) []string {
	if t, ok := c.catalog.Tool(id); ok {
		return []string{t.Server + "." + c.generator(t.Server).FunctionName(t.Name)}
	}
	for _, server := range c.loadable() {
		name, ok := strings.CutPrefix(id, server.Name()+".")
		if kind := server.FeatureKind(name); ok && kind != "" {
			return []string{server.Name() + "." + kind}
		}
	}
	return nil
}

// tools returns the names of the tools of a server that the conversation may know of.
func (v *Conversation) tools(server *codegen.Server) []string {
	return slices.DeleteFunc(server.Tools(), func(tool string) bool { return !v.permits(server.Name() + "." + tool) })
}

// features returns the names, "server.resources" and the like, of what the server
// offers beside its tools and the conversation may know of.
func (v *Conversation) features(server *codegen.Server) []string {
	var ids []string
	for _, feature := range server.Features() {
		if id := server.Name() + "." + feature; v.permits(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// hides tells whether nothing that a server offers is permitted, as far as that is known.
func (v *Conversation) hides(name string) bool {
	server := v.c.module(name)
	switch {
	case len(v.policies) == 0:
		return false
	case server == nil:
		return slices.ContainsFunc(v.policies, func(p *Policy) bool { return !p.permitsSome(name) })
	}
	return len(server.Tools())+len(server.Features()) > 0 && len(v.tools(server))+len(v.features(server)) == 0
}

// servers returns the code generators of the servers that the conversation may know
// of and that ever were ready, in the order of the configuration.
func (v *Conversation) servers() []*codegen.Server {
	return slices.DeleteFunc(v.c.loadable(), func(s *codegen.Server) bool { return v.hides(s.Name()) })
}

// status tells of the servers that the conversation may know of.
func (v *Conversation) status() []mcpclient.Status {
	return slices.DeleteFunc(v.c.client.Status(), func(s mcpclient.Status) bool { return v.hides(s.Name) })
}

// approve asks all policies, in their order, while the run's clock stands still.
func (v *Conversation) approve(ctx context.Context, call *PendingCall) error {
	for _, p := range v.policies {
		if p.Approve == nil {
			continue
		}
		if err := ask(ctx, p, call); err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, p *Policy, call *PendingCall) error {
	defer sandbox.PauseClock(ctx)()
	asked := *call // what a hook does to it, nobody else sees
	asked.Args = slices.Clone(call.Args)
	return p.Approve(ctx, &asked)
}

// denial is what the program reads of a call that was not made.
func denial(id, reason string) error {
	data, err := json.Marshal(map[string]any{"denied": true, "reason": reason})
	if err != nil {
		data = nil
	}
	return &sandbox.CallError{Message: id + " was denied: " + cut(reason, maxToolError), Data: data}
}
