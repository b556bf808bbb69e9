package sandbox

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/conductor/conductor/internal/jail"
)

// judge says how a run ended: stop is why the host ended it, last what the program
// reported and readErr what ended the stream of its frames.
func (r *run) judge(result *Result, stop Phase, last *message, readErr error, timeout time.Duration) {
	switch {
	case stop == PhaseTimeout && last == nil:
		result.Phase = stop
		if result.Duration < timeout {
			timeout = r.opts.WallTimeout // the clock stood still
		}
		result.Error = &ProgramError{Message: fmt.Sprintf("the program was stopped after %v: it had not ended", timeout), Hint: timeoutHint(result.Calls)}
	case stop == PhaseCancelled && last == nil:
		result.Phase = stop
		result.Error = &ProgramError{Message: "the run was cancelled"}
	case stop == PhaseKilled && last == nil:
		result.Phase = stop
		result.Error = &ProgramError{Message: "the program was stopped: " + r.stopped.Error()}
	case last != nil:
		if result.Phase, result.Error = r.verdict(last); result.Phase == PhaseOK {
			result.Value, result.Whole = last.Value, last.Whole
		}
	case errors.Is(readErr, io.EOF):
		result.Phase, result.Error = r.verdictOfExit()
	case errors.Is(readErr, errTooManyCalls):
		result.Phase = PhaseKilled
		result.Error = &ProgramError{Message: fmt.Sprintf("the program was stopped, it went on calling after the %d calls that it may make", r.opts.MaxCalls), Hint: "make fewer calls, or divide the work into several programs"}
	default:
		result.Phase = PhaseKilled
		result.Error = &ProgramError{Message: "the process was killed, it broke the protocol: " + readErr.Error(), Hint: "write output with console.log, and not to the process's standard output"}
	}
	if result.Phase == PhaseMemory || result.Phase == PhaseKilled {
		result.Error.Message += fmt.Sprintf(" (after %v, %s)", result.Duration.Round(time.Millisecond), countCalls(result.Calls))
	}
}

const openCall = "the run ended before the call did: it may or may not have taken effect"

// crashReports begin what V8 and Deno print of their own end, with paths of the host.
var crashReports = []string{"\n<--- Last few GCs --->", "\n#\n# Fatal ", "\n==== C stack trace"}

func timeoutHint(calls []CallRecord) string {
	var open []string
	for _, c := range calls {
		if c.Error == openCall {
			open = append(open, c.Target)
		}
	}
	if len(open) > 0 {
		return "it was waiting for " + strings.Join(open[:min(len(open), 5)], ", ")
	}
	return "no call was open, " + countCalls(calls) + ": look for a loop that does not end"
}

// verdict judges a run whose program reported its end.
func (r *run) verdict(m *message) (Phase, *ProgramError) {
	if m.Type == "result" {
		if len(m.Value) > r.opts.MaxValue+maxPreview || len(m.Whole) > maxWhole {
			return PhaseKilled, &ProgramError{Message: "the process was killed, its value is larger than the harness lets through"}
		}
		return PhaseOK, nil
	}
	e := &ProgramError{Name: safeText(m.Name), Message: safeText(m.Message)}
	e.Line, e.Column = r.bundle.locate(m.Stack)
	switch m.Reason {
	case "value":
		e.Name, e.Message = "", "the program's value cannot be encoded as JSON: "+e.Message
		e.Hint = "return plain data"
	case "stalled":
		e.Name, e.Message = "", "the program waits for a promise that nothing will settle"
		e.Hint = "look for a `new Promise` whose resolve is never called"
	case "unhandled":
		e.Message = "not caught: " + e.Message
		e.Hint = "await every promise, and catch what may fail"
	default:
		if e.Name == "" {
			e.Message = "the program threw a value that is not an Error: " + e.Message
		}
	}
	if e.Name == "RangeError" && allocationFailed.MatchString(e.Message) {
		return PhaseMemory, r.memoryError(e)
	}
	if e.Name == "NotCapable" {
		e.Message, _, _ = strings.Cut(e.Message, ", run again with")
		e.Hint = "programs have no access to files, network, environment or processes: use the modules that can be imported"
		if r.profile.granted {
			e.Hint = "this program may not do that"
			if r.profile.Workspace != "" {
				e.Hint += "; files that it may read and write are in its working folder: use relative paths, without .."
			}
		}
	}
	return PhaseRuntimeError, e
}

// safeText is a text of the program's, bounded and safe to show. The harness bounds
// it as well, but a program can pass for the harness.
func safeText(s string) string {
	return printable([]byte(s[:min(len(s), maxText)]))
}

// outOfMemory matches what is printed when a process ends for lack of memory.
var outOfMemory = regexp.MustCompile(`out of memory|memory allocation of \d+ bytes failed|Failed to reserve`)

// allocationFailed matches what V8 throws when memory outside of its heap is not to
// be had.
var allocationFailed = regexp.MustCompile(`(?i)allocation failed|could not allocate memory|out of memory|unable to grow instance memory`)

// memoryError describes a run that hit its memory limit; e may have its position.
func (r *run) memoryError(e *ProgramError) *ProgramError {
	e.Name, e.Message = "", fmt.Sprintf("the program needed more than its %d MB of memory", r.profile.MemoryMB)
	e.Hint = "handle the data in smaller parts"
	return e
}

// countCalls says how many calls had ended.
func countCalls(calls []CallRecord) string {
	ended := 0
	for _, c := range calls {
		if c.Error != openCall {
			ended++
		}
	}
	if ended == 1 {
		return "1 call completed"
	}
	return fmt.Sprintf("%d calls completed", ended)
}

// verdictOfExit judges a run whose process ended without a report.
//
// It comes before stderr is read: V8's report of its own crash is not the
// program's output, and it shows paths of the host.
func (r *run) verdictOfExit() (Phase, *ProgramError) {
	state := r.process.cmd.ProcessState
	stderr, _ := r.process.stderr.text()
	for _, report := range crashReports {
		r.process.stderr.cutAt(report)
	}
	signal := signalOf(r.process.cmd)
	// V8 ends the process with a trap when its heap is full, Rust aborts when memory
	// is not to be had.
	if outOfMemory.MatchString(stderr) && (signal == syscall.SIGTRAP || signal == syscall.SIGABRT || signal == syscall.SIGILL || signal == 0) {
		return PhaseMemory, r.memoryError(&ProgramError{})
	}
	switch r.profile.limits.Ended(state) {
	case jail.EndedByCPU:
		return PhaseTimeout, &ProgramError{Message: fmt.Sprintf("the program used up its %v of processor time", r.profile.CPU), Hint: "look for a loop that does not end"}
	case jail.EndedByFileSize:
		return PhaseKilled, &ProgramError{Message: fmt.Sprintf("the program wrote a file larger than %d MB", r.profile.FileMB), Hint: "write less, or several files"}
	}
	if signal != 0 {
		return PhaseKilled, &ProgramError{Message: fmt.Sprintf("the process was ended by a signal (%v) before the program returned", signal)}
	}
	e := &ProgramError{Message: fmt.Sprintf("the process ended with status %d before the program returned", state.ExitCode())}
	e.Hint = "do not call Deno.exit or process.exit: return the value"
	return PhaseRuntimeError, e
}
