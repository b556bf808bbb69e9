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
		module := slices.IndexFunc(modules, func(m sandbox.Module) bool { return m.Specifier == strings.TrimSuffix(b.Specifier, ".ts") })
		there := !strings.HasPrefix(b.Specifier, ".") // a package, which the sandbox knows
		if module >= 0 {
			there = b.Export == "*" || v.exportsTool(state, modules[module].Specifier, b.Export) || exports(modules[module].Source, b.Export)
		}
		if there {
			carried = append(carried, sandbox.Binding(b))
		}
	}
	return carried
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

// bound turns what a program has bound into what the conversation remembers.
func bound(bindings []sandbox.Binding) []conversation.Binding {
	all := make([]conversation.Binding, 0, len(bindings))
	for _, b := range bindings {
		all = append(all, conversation.Binding(b))
	}
	return all
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
