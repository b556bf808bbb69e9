package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/internal/suggest"
	"github.com/conductor/conductor/sandbox"
)

// ExecuteOptions refine [Conversation.Execute]. The zero value means no refinement.
type ExecuteOptions struct {
	// Timeout overrides [sandbox.Options.Timeout], up to [sandbox.MaxTimeout].
	Timeout time.Duration
	// OnLog is told each line that the program logs with console, while it runs, and
	// what servers report of the progress of its calls, as "server.tool: 3/10 words". It
	// must not block.
	OnLog func(sandbox.Log)
}

// A Result is what is known of a run, however it ended.
type Result struct {
	ConversationID string        `json:"conversation_id"`
	Phase          sandbox.Phase `json:"phase"`
	// Value is the program's value as JSON; nil if it has none. See
	// [sandbox.Result] for values that are too large.
	Value json.RawMessage `json:"value,omitempty"`
	// Stdout and Stderr are what the program wrote, safe to show and bounded.
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	// Error is nil if Phase is [sandbox.PhaseOK].
	Error *ProgramError `json:"error,omitempty"`
	// Diagnostics are all mistakes that the type check has found, at most five; the
	// first of them is Error if the program was not run because of them.
	Diagnostics []ProgramError `json:"diagnostics,omitempty"`
	// Calls is the ledger of the tool calls that the program made, in its order.
	Calls []Call `json:"calls"`
	// Files are what has changed in the conversation's workspace while the program ran,
	// by path; MoreFiles counts those beyond 100.
	Files     []FileChange `json:"files,omitempty"`
	MoreFiles int          `json:"more_files,omitempty"`
	// DurationMS is the program's running time in milliseconds.
	DurationMS float64 `json:"duration_ms"`
	// Whole is the value if Value only stands for it, being too large; see
	// [sandbox.Result]. It is not for the model.
	Whole json.RawMessage `json:"-"`
	// Layers are the layers of the operating system that were in force.
	Layers []string `json:"-"`
}

// A ProgramError says what went wrong, for the author of the program.
type ProgramError struct {
	Message string `json:"message"`
	// Line and Column are a position in the program's text, both from 1; absent if
	// it is not known.
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// A Call is one line of a run's ledger.
type Call struct {
	// Tool is "server.tool".
	Tool       string  `json:"tool"`
	OK         bool    `json:"ok"`
	DurationMS float64 `json:"duration_ms"`
	Error      string  `json:"error,omitempty"`
	// ResultBytes is the size of the JSON that went into the program, and not
	// through the model.
	ResultBytes int `json:"result_bytes,omitempty"`
}

// Execute runs a program that may import the tools which the conversation has
// loaded: `import * as name from "./mcp/server"`. What an earlier program of the
// conversation has imported need not be imported again; a declaration of the program
// itself with the same name wins. Its value is a top-level return,
// else the export default, else the last expression. Options may be nil.
//
// The error is not nil if the machinery failed. If it is the context that ended,
// the Result is not nil either and holds what was known by then. A store that fails
// after the run is in the log, and not an error: the result is worth more than the
// imports and counters that are not remembered then.
func (v *Conversation) Execute(ctx context.Context, code string, options *ExecuteOptions) (*Result, error) {
	var opts ExecuteOptions
	if options != nil {
		opts = *options
	}
	if err := v.c.open(); err != nil {
		return nil, err
	}
	state, err := v.refresh(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.c.settle(ctx, state.LoadedIDs()); err != nil {
		return nil, err
	}
	box, err := v.c.sandbox(ctx)
	if err != nil {
		if closed := v.c.open(); closed != nil {
			return nil, closed
		}
		return nil, fmt.Errorf("conductor: %w", err)
	}
	log := oneAtATime(opts.OnLog)
	program := &sandbox.Program{Code: code, Timeout: opts.Timeout, OnLog: log}
	program.Modules = v.sources(state)
	program.Bindings = v.carried(state, program.Modules)
	calls := v.newRun(state, log)
	program.Call = calls.call
	program.Missing = v.explainMissing
	run, finish, err := v.runIn(ctx, box, program)
	switch {
	case errors.Is(err, sandbox.ErrClosed):
		err = ErrClosed
	case err != nil:
		err = fmt.Errorf("conductor: %w", err)
	}
	if run == nil {
		return nil, err
	}
	result := v.result(run)
	v.explainNames(state, program.Bindings, result)
	err = errors.Join(err, finish(result))
	v.remember(ctx, program.Modules, run, calls.counters(result, code, run.Duration))
	v.c.found.hasCalled(v.id, result.Calls)
	v.c.sharing.hasLearned()
	return result, err
}

// rememberTimeout bounds how long a result waits for the store.
const rememberTimeout = 10 * time.Second

// remember keeps what a run leaves to later ones. The calls were made, whatever has
// become of the caller, and of the store, since: a result that got lost because the
// counters could not be saved would have them made again.
func (v *Conversation) remember(ctx context.Context, modules []sandbox.Module, run *sandbox.Result, counters conversation.Counters) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rememberTimeout)
	defer cancel()
	err := v.count(ctx, counters, func(s *conversation.State) error {
		s.Bind(v.bound(s, modules, run)...)
		return nil
	})
	if err != nil {
		v.c.opts.Logger.Warn("conductor: a run is not remembered", "conversation", v.id, "error", err)
	}
}

// sources generates the module of every server, with the loaded tools.
func (v *Conversation) sources(state *conversation.State) []sandbox.Module {
	var modules []sandbox.Module
	for _, server := range v.servers() {
		source := "export {};\n"
		if tools := v.loadedOf(state, server); len(tools) > 0 {
			source = server.Module(tools...)
		}
		modules = append(modules, sandbox.Module{Specifier: server.ModulePath(), Source: source})
	}
	return modules
}

// explainMissing says why a program cannot import a module, or a name from it.
func (v *Conversation) explainMissing(module, export string) string {
	if export == "" {
		return v.explainModule(module)
	}
	server := v.serverOf(module)
	if server == nil {
		return ""
	}
	tool := export
	if wire, ok := server.WireName(export); ok {
		tool = wire
	}
	id := server.Name() + "." + tool
	if _, ok := v.c.known(id); export == "default" && !ok {
		return fmt.Sprintf("%s has no default export: write %s", module, server.ImportLine())
	}
	return v.explainTool(id)
}

func (v *Conversation) serverOf(module string) *codegen.Server {
	for _, server := range v.servers() {
		if server.ModulePath() == module {
			return server
		}
	}
	return nil
}

// explainTool says why a tool cannot be called: it is not loaded, or there is none.
func (v *Conversation) explainTool(id string) string {
	if !v.permits(id) {
		return id + ": " + forbidden
	}
	if id, ok := v.c.known(id); ok {
		return fmt.Sprintf("%s exists but is not loaded in this conversation: call LoadToolSpec (the tool load_tool_spec) with %q, then run the program again", id, id)
	}
	unknown := v.unknownTool(id)
	message := fmt.Sprintf("there is no tool %s", id)
	if len(unknown.Suggestions) > 0 {
		message += "; the nearest names are " + strings.Join(unknown.Suggestions, ", ")
	} else {
		message += "; search with FindTools (the tool find_tools)"
	}
	return message + v.downNote()
}

// explainModule says why there is no such module.
func (v *Conversation) explainModule(module string) string {
	name := strings.TrimSuffix(module, ".ts")
	var paths, last []string
	for _, s := range v.status() {
		path := codegen.ModulePath(s.Name)
		if s.State.Available() {
			paths = append(paths, path)
			last = append(last, path[strings.LastIndex(path, "/")+1:])
		} else if path == name {
			return fmt.Sprintf("cannot import %q: server %s is not available: %s", module, s.Name, reason(s))
		}
	}
	if len(paths) == 0 {
		return fmt.Sprintf("cannot import %q: no server is available", module) + v.downNote()
	}
	return fmt.Sprintf("cannot import %q: a program can import %s%s", module, few(paths), suggest.DidYouMean(name[strings.LastIndex(name, "/")+1:], last)) + v.downNote()
}

// explainServer says why a server cannot be searched.
func (v *Conversation) explainServer(name string) string {
	var names []string
	for _, s := range v.status() {
		if s.Name == name {
			return fmt.Sprintf("server %s is not available: %s", name, reason(s))
		}
		if s.State.Available() {
			names = append(names, s.Name)
		}
	}
	return fmt.Sprintf("there is no server %q: the servers are %s%s", name, few(names), suggest.DidYouMean(name, names))
}

// maxNamed is how many names a message lists: there may be hundreds of servers.
const maxNamed = 20

func few(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}

// downNote names the servers that are down, since what is missing may be theirs.
func (v *Conversation) downNote() string {
	var notes []string
	for _, down := range v.unavailable() {
		notes = append(notes, fmt.Sprintf("%s (%s)", down.Name, down.Reason))
	}
	if len(notes) == 0 {
		return ""
	}
	return "; servers that are not available now: " + strings.Join(notes, ", ")
}

func (v *Conversation) result(run *sandbox.Result) *Result {
	result := &Result{
		ConversationID: v.id,
		Phase:          run.Phase,
		Value:          run.Value,
		Stdout:         run.Stdout,
		Stderr:         run.Stderr,
		Calls:          []Call{},
		DurationMS:     milliseconds(run.Duration),
		Whole:          run.Whole,
		Layers:         run.Layers,
	}
	if e := run.Error; e != nil {
		message := e.Message
		if e.Name != "" {
			message = e.Name + ": " + message
		}
		result.Error = &ProgramError{Message: message, Line: e.Line, Column: e.Column, Hint: e.Hint}
	}
	for _, d := range run.Diagnostics {
		result.Diagnostics = append(result.Diagnostics, ProgramError{Message: d.Name + ": " + d.Message, Line: d.Line, Column: d.Column, Hint: d.Hint})
	}
	for _, call := range run.Calls {
		result.Calls = append(result.Calls, Call{
			Tool:       call.Target,
			OK:         call.Error == "",
			DurationMS: milliseconds(call.Duration),
			Error:      call.Error,

			ResultBytes: call.ResultBytes,
		})
	}
	return result
}

// milliseconds rounds to microseconds, so that the JSON stays short.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
