package sandbox

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"
)

// A Module is TypeScript that a program may import.
type Module struct {
	// Specifier is what stands in the import, such as "./mcp/github". A program
	// may add ".ts".
	Specifier string
	// Source is the module's text. It may import other modules of the program and
	// [BridgeModule].
	Source string
}

// A Call is one request of a program to its host.
type Call struct {
	// Number is the call's place in [Result.Calls], from 1.
	Number int
	// Target is what the program named; the host decides whether it may.
	Target string
	// Args is valid JSON.
	Args json.RawMessage
}

// A CallError makes [Program.Call] fail with data: the program catches a ToolError
// with this message, and with Data as its property data.
type CallError struct {
	Message string
	Data    json.RawMessage // may be nil
}

func (e *CallError) Error() string { return e.Message }

// A Program is what [Sandbox.Run] runs. It is not changed by Run.
type Program struct {
	// Code is TypeScript or JavaScript, at most 256 KiB.
	Code string
	// Modules are what Code may import, besides the runtime's own node: modules.
	Modules []Module
	// Bindings are names that Code may use as if it had imported them: those of an
	// earlier program, from [Result.Bindings]. A name that Code imports or declares
	// itself means that, and one of the language or the runtime means what it always
	// does. A binding of a module that Code could not import, or whose name is none, is
	// as good as not there; that the module has the export is for the host to see to.
	Bindings []Binding
	// Call answers the program's calls. It runs on a goroutine of its own, several
	// at a time, and its context ends with the run. The value must be JSON; nil is
	// null. An error is thrown in the program as a ToolError. A nil Call refuses
	// every call.
	Call func(ctx context.Context, call Call) (json.RawMessage, error)
	// Limit may bound the calls of a group of targets: at most so many of one group
	// are with Call at a time, the others wait. A limit of 0 is none. nil means that
	// [Options.MaxInFlight] is the only bound.
	Limit func(target string) (group string, limit int)
	// OnStart, if not nil, is called when there is a process for the program, which
	// begins when it returns. An error is that of Run, and the program does not begin.
	OnStart func(*Running) error
	// Missing may say, for the author of the program, why it cannot import a
	// module (export is empty) or why a module lacks an export. An empty answer
	// leaves the words to the sandbox.
	Missing func(module, export string) string
	// OnLog is told each line that the program logs with console, while it runs,
	// from one goroutine. It must not block.
	OnLog func(Log)
	// Timeout overrides [Options.Timeout], up to [MaxTimeout].
	Timeout time.Duration
	// Profile overrides [Options.Profile]. It is not changed by Run.
	Profile *Profile
}

// A Log is one console.* call of a program.
type Log struct {
	Level slog.Level
	// Message is what console would have printed, without the line break.
	Message string
	// Elapsed is the time since the program started.
	Elapsed time.Duration
}
