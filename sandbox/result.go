package sandbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Phase says how a run ended.
type Phase string

// The phases.
const (
	// PhaseOK: the program ended by itself.
	PhaseOK Phase = "ok"
	// PhaseRejected: the program was refused before anything ran: it is empty, is
	// not TypeScript, or imports what is not there.
	PhaseRejected Phase = "rejected"
	// PhaseTypeError: the program was refused before anything ran because its
	// types are wrong.
	PhaseTypeError Phase = "type_error"
	// PhaseRuntimeError: the program threw, left a rejected promise, ended itself,
	// waits for what nothing will bring, or has a value that JSON cannot hold.
	PhaseRuntimeError Phase = "runtime_error"
	// PhaseTimeout: the program's time was up, or its processor time.
	PhaseTimeout Phase = "timeout"
	// PhaseMemory: the program hit its memory limit.
	PhaseMemory Phase = "memory"
	// PhaseCancelled: the caller's context ended, or the sandbox was closed.
	PhaseCancelled Phase = "cancelled"
	// PhaseKilled: the process was ended from outside, wrote too large a file, or
	// broke a rule of the bridge.
	PhaseKilled Phase = "killed"
)

// A Result is what is known of a run, however it ended.
type Result struct {
	Phase Phase
	// Value is the program's value as JSON; nil if it has none. If it was larger
	// than [Options.MaxValue] it is an object {truncated: true, type, length,
	// bytes, preview}, preview being the beginning of its JSON as text, and the
	// whole is in Whole.
	Value json.RawMessage
	// Whole is the value if Value only stands for it; nil otherwise, and if it was
	// larger than 16 MiB.
	Whole json.RawMessage
	// Stdout and Stderr are what the program wrote, made safe to show. If it was
	// more than [Options.MaxOutput] the first line says so.
	Stdout string
	Stderr string
	// StdoutBytes and StderrBytes count everything that was written.
	StdoutBytes int64
	StderrBytes int64
	// Error is nil if Phase is [PhaseOK].
	Error *ProgramError
	// Diagnostics are all mistakes that the type check has found, at most five, in
	// the order of the text; Error is the first of them if Phase is
	// [PhaseTypeError].
	Diagnostics []ProgramError
	// Calls are the calls that the program made, in the order in which it made them.
	Calls []CallRecord
	// Layers are the layers of the operating system that were in force.
	Layers []string
	// Bindings are what the program's own imports bind, also if it was refused for
	// another reason than its syntax; see [Program.Bindings].
	Bindings []Binding
	// Waited is the time before that: for a turn (see [Options.MaxRuns]) and for a
	// process, which takes none if one was waiting.
	Waited time.Duration
	// Duration is the time from handing over the program to its end.
	Duration time.Duration
}

// A ProgramError says what went wrong, for the author of the program.
type ProgramError struct {
	// Name is the name of the thrown error's class, or of the kind of mistake;
	// empty if the program threw something that is not an Error.
	Name    string
	Message string
	// Line and Column are a position in [Program.Code], both from 1, or 0 if it is
	// not known. Columns count UTF-16 units, as JavaScript does.
	Line   int
	Column int
	// Hint says what to do about it, if that is known.
	Hint string
}

func (e *ProgramError) Error() string {
	s := e.Message
	if e.Name != "" {
		s = e.Name + ": " + s
	}
	if e.Line > 0 {
		s = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, s)
	}
	return s
}

// A CallRecord is one line of a run's ledger.
type CallRecord struct {
	Target string
	// Error is empty if the call succeeded. A call that was still open when the
	// run ended has one that says so: whether it took effect is not known.
	Error string
	// Duration is the time from the program's call to its answer.
	Duration time.Duration
	// ResultBytes is the size of the JSON that the program got.
	ResultBytes int
}
