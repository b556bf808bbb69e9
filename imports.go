package conductor

import (
	"regexp"
	"slices"
	"strings"

	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/sandbox"
)

// carried returns what a program may use without importing it: what earlier programs
// of the conversation have bound, as far as it is still there. A tool that is no
// longer loaded, or not permitted, is not.
func (v *Conversation) carried(state *conversation.State, modules []sandbox.Module) []sandbox.Binding {
	var carried []sandbox.Binding
	for _, b := range state.Bindings {
		// What packages there are, the sandbox knows.
		if !strings.HasPrefix(b.Specifier, ".") || v.provides(state, modules, sandbox.Binding(b)) {
			carried = append(carried, sandbox.Binding(b))
		}
	}
	return carried
}

// provides tells whether the modules have what an import has bound.
func (v *Conversation) provides(state *conversation.State, modules []sandbox.Module, b sandbox.Binding) bool {
	i := slices.IndexFunc(modules, func(m sandbox.Module) bool { return m.Specifier == strings.TrimSuffix(b.Specifier, ".ts") })
	return i >= 0 && (b.Export == "*" || v.exportsTool(state, modules[i].Specifier, b.Export) || exports(modules[i].Source, b.Export))
}

// exports tells whether a generated module has this type.
func exports(source, name string) bool { return strings.Contains(source, "\nexport type "+name+" =") }

// exportsTool tells whether a module has the function of a loaded tool.
func (v *Conversation) exportsTool(state *conversation.State, module, export string) bool {
	server := v.serverOf(module)
	if server == nil {
		return false
	}
	tool, ok := server.WireName(export)
	return ok && slices.Contains(v.loadedOf(state, server), tool)
}

// bound returns what the conversation remembers of a program's imports. Those of one
// that was refused may be its very mistake: they count if they are right, and if the
// name is new.
func (v *Conversation) bound(state *conversation.State, modules []sandbox.Module, run *sandbox.Result) []conversation.Binding {
	refused := run.Phase == sandbox.PhaseRejected || run.Phase == sandbox.PhaseTypeError
	var bound []conversation.Binding
	for _, b := range run.Bindings {
		known := slices.ContainsFunc(state.Bindings, func(old conversation.Binding) bool { return old.Name == b.Name })
		if !refused || !known && v.provides(state, modules, b) {
			bound = append(bound, conversation.Binding(b))
		}
	}
	return bound
}

// unknownName matches what the type check, or else the run, says of a name that
// means nothing.
var unknownName = regexp.MustCompile(`Cannot find name '([^']+)'|(?:^|: )(\S+) is not defined$`)

// explainNames adds to the errors about a name, which an earlier program had imported,
// why it means nothing now.
func (v *Conversation) explainNames(state *conversation.State, carried []sandbox.Binding, result *Result) {
	explain := func(e *ProgramError) {
		found := unknownName.FindStringSubmatch(e.Message)
		if found == nil {
			return
		}
		i := slices.IndexFunc(state.Bindings, func(b conversation.Binding) bool { return b.Name == found[1]+found[2] })
		if i >= 0 && !slices.Contains(carried, sandbox.Binding(state.Bindings[i])) {
			e.Hint = "an earlier program has imported it: " + v.explainBinding(state.Bindings[i])
		}
	}
	if result.Error != nil {
		explain(result.Error)
	}
	for i := range result.Diagnostics {
		explain(&result.Diagnostics[i])
	}
}

func (v *Conversation) explainBinding(b conversation.Binding) string {
	if module := strings.TrimSuffix(b.Specifier, ".ts"); b.Export != "*" && v.serverOf(module) != nil {
		return v.explainMissing(module, b.Export)
	}
	return v.explainModule(b.Specifier)
}
