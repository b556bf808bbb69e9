package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/conductor/conductor/internal/jail"
)

// Run runs a program to its end, in a process of its own.
//
// The error is not nil if the machinery failed. If it is the context that ended,
// the Result is not nil either, has the phase [PhaseCancelled] and holds what was
// known by then.
func (s *Sandbox) Run(ctx context.Context, p *Program) (*Result, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.runs.Done()
	if p.Timeout < 0 || p.Timeout > MaxTimeout {
		return nil, fmt.Errorf("sandbox: Program.Timeout is %v, want 0 to %v", p.Timeout, MaxTimeout)
	}
	if len(p.Code) > maxCode {
		return rejected(&ProgramError{Message: fmt.Sprintf("the program has %d bytes, at most %d are accepted", len(p.Code), maxCode)}), nil
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	profile, err := s.prepare(runCtx, p.Profile)
	if err != nil {
		return nil, s.cause(ctx, err)
	}
	bundle, problem := compile(runCtx, p, profile.packages)
	if problem != nil {
		return rejected(problem), nil
	}
	queued := time.Now()
	done, err := s.turn(runCtx)
	if err != nil {
		return nil, s.cause(ctx, err)
	}
	process, err := profile.pool.take(runCtx)
	if err != nil {
		done()
		return nil, s.cause(ctx, err)
	}
	waited := time.Since(queued)
	s.runs.Add(1) // the run that is registered already keeps it above zero
	defer func() {
		go func() {
			defer s.runs.Done()
			defer done()
			if err := process.end(); err != nil {
				s.opts.Logger.Warn("sandbox: removing the files of a run", "error", err)
			}
			profile.pool.fill()
		}()
	}()
	r := &run{opts: &s.opts, program: p, profile: profile, bundle: bundle, process: process, slots: make(chan struct{}, s.opts.MaxInFlight)}
	result := r.do(runCtx)
	result.Waited, result.Layers = waited, process.layers
	if result.Phase == PhaseCancelled {
		return result, s.cause(ctx, context.Canceled)
	}
	return result, nil
}

// cause names the reason that the caller can do something about.
func (s *Sandbox) cause(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closing.Err() != nil:
		return ErrClosed
	}
	return err
}

func rejected(e *ProgramError) *Result {
	return &Result{Phase: PhaseRejected, Error: e, Calls: []CallRecord{}}
}

// A run is one program in its process.
type run struct {
	opts    *Options
	program *Program
	profile *prepared
	bundle  *bundle
	process *process
	clock   *clock
	slots   chan struct{}            // bounds the calls that are with the host
	groups  map[string]chan struct{} // bounds those of one group; serve's own

	calls sync.WaitGroup

	mu     sync.Mutex
	ledger []CallRecord
	open   map[int]time.Time // index in ledger → when the program asked
	stop   Phase             // why the host ended it, if it did
}

func (r *run) do(ctx context.Context) *Result {
	timeout := r.program.Timeout
	if timeout == 0 {
		timeout = r.opts.Timeout
	}
	r.open = map[int]time.Time{}
	r.clock = startClock(timeout, func() { r.end(PhaseTimeout) })
	defer r.clock.stop()
	wall := time.AfterFunc(r.opts.WallTimeout, func() { r.end(PhaseTimeout) })
	defer wall.Stop()
	callCtx, endCalls := context.WithCancel(context.WithValue(ctx, clockKey{}, r.clock))
	defer endCalls()
	defer context.AfterFunc(ctx, func() { r.end(PhaseCancelled) })()

	sendErr := r.process.send(map[string]any{"code": r.bundle.code, "packages": r.bundle.packages, "maxValue": r.opts.MaxValue, "maxWhole": maxWhole})
	last, readErr := r.serve(callCtx)
	duration := r.clock.stop()
	r.mu.Lock()
	if r.stop == "" && readErr == nil {
		r.stop = PhaseOK // a limit that is reached from here on is not why it ended
	}
	stop := r.stop
	r.mu.Unlock()

	if last != nil {
		r.process.stop() // the caller need not wait until it is gone
	} else {
		_ = r.process.end() // Run reports it
	}
	endCalls()
	r.calls.Wait()

	result := &Result{Calls: r.closeLedger(), Imports: r.bundle.imports, Duration: duration}
	switch {
	case stop == PhaseTimeout && last == nil:
		result.Phase = stop
		if duration < timeout {
			timeout = r.opts.WallTimeout // the clock stood still
		}
		result.Error = &ProgramError{Message: fmt.Sprintf("the program was stopped after %v: it had not ended", timeout), Hint: timeoutHint(result.Calls)}
	case stop == PhaseCancelled && last == nil:
		result.Phase = stop
		result.Error = &ProgramError{Message: "the run was cancelled"}
	case last != nil:
		result.Value, result.Whole = last.Value, last.Whole
		result.Phase, result.Error = r.verdict(last)
	case errors.Is(readErr, io.EOF):
		result.Phase, result.Error = r.verdictOfExit()
	default:
		result.Phase = PhaseKilled
		result.Error = &ProgramError{Message: "the process was killed, it broke the protocol: " + readErr.Error(), Hint: "write output with console.log, and not to the process's standard output"}
	}
	if result.Phase == PhaseMemory || result.Phase == PhaseKilled {
		result.Error.Message += fmt.Sprintf(" (after %v, %s)", duration.Round(time.Millisecond), countCalls(result.Calls))
	}
	result.Stdout, result.StdoutBytes = r.process.stdout.text()
	result.Stderr, result.StderrBytes = r.process.stderr.text()
	if sendErr != nil {
		r.opts.Logger.Debug("sandbox: handing over the program", "error", sendErr)
	}
	return result
}

// end stops the process for a reason of the host. The first reason counts.
func (r *run) end(why Phase) {
	r.mu.Lock()
	if r.stop == "" {
		r.stop = why
	}
	r.mu.Unlock()
	r.process.kill()
}

// serve reads frames until the program reports its end. It returns that report, or
// the error that ended the stream.
func (r *run) serve(ctx context.Context) (*message, error) {
	var lastID int64
	for {
		frame, err := r.process.frames.next()
		if err != nil {
			return nil, err
		}
		var m message
		if err := json.Unmarshal(frame, &m); err != nil {
			return nil, fmt.Errorf("frame of %d bytes: %w", len(frame), err)
		}
		switch m.Type {
		case "log":
			r.log(&m)
		case "call":
			if m.ID != lastID+1 {
				return nil, fmt.Errorf("call has id %d, want %d", m.ID, lastID+1)
			}
			lastID = m.ID
			r.call(ctx, &m)
		case "result", "error":
			return &m, nil
		default:
			return nil, fmt.Errorf("frame of unknown type %q", m.Type)
		}
	}
}

// log keeps a console line in the stream in which Deno would have printed it.
func (r *run) log(m *message) {
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	out := r.process.stdout
	if m.Level >= 2 {
		out = r.process.stderr
	}
	_, _ = io.WriteString(out, m.Message)
	if r.program.OnLog != nil {
		r.program.OnLog(Log{
			Level:   levels[min(max(m.Level, 0), len(levels)-1)],
			Message: printable([]byte(strings.TrimSuffix(m.Message, "\n"))),
			Elapsed: r.clock.elapsed(),
		})
	}
}

// call enters a call in the ledger and answers it on a goroutine of its own.
func (r *run) call(ctx context.Context, m *message) {
	r.mu.Lock()
	index := len(r.ledger)
	full := index >= r.opts.MaxCalls
	if !full {
		r.ledger = append(r.ledger, CallRecord{Target: m.Target})
		r.open[index] = time.Now()
	}
	r.mu.Unlock()
	if full {
		r.answer(m.ID, nil, fmt.Errorf("%s was not called: a program may make %d calls, and has", m.Target, r.opts.MaxCalls))
		return
	}
	group := r.group(m.Target)
	r.calls.Go(func() {
		// The group first: who waits for it must not hold a slot of the others.
		for _, slots := range []chan struct{}{group, r.slots} {
			if slots == nil {
				continue
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				return
			}
		}
		value, err := json.RawMessage(nil), error(&CallError{Message: "this program cannot make calls"})
		if r.program.Call != nil {
			value, err = r.program.Call(ctx, Call{Target: m.Target, Args: m.Args})
		}
		if ctx.Err() != nil {
			return // the run is over: nobody hears the answer
		}
		r.mu.Lock()
		r.ledger[index].Duration = time.Since(r.open[index])
		if err != nil {
			r.ledger[index].Error = err.Error()
		} else {
			r.ledger[index].ResultBytes = len(value)
		}
		delete(r.open, index)
		r.mu.Unlock()
		r.answer(m.ID, value, err)
	})
}

// group returns what bounds the calls of a target's group, or nil.
func (r *run) group(target string) chan struct{} {
	if r.program.Limit == nil {
		return nil
	}
	name, limit := r.program.Limit(target)
	if limit <= 0 {
		return nil
	}
	if r.groups[name] == nil {
		if r.groups == nil {
			r.groups = map[string]chan struct{}{}
		}
		r.groups[name] = make(chan struct{}, limit)
	}
	return r.groups[name]
}

// answer sends the outcome of a call to the program. A process that is gone does
// not hear it, and the reader of its frames finds out.
func (r *run) answer(id int64, value json.RawMessage, err error) {
	type failure struct {
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data,omitempty"`
	}
	reply := struct {
		ID    int64           `json:"id"`
		Value json.RawMessage `json:"value,omitempty"`
		Error *failure        `json:"error,omitempty"`
	}{ID: id, Value: value}
	if err != nil {
		reply.Value, reply.Error = nil, &failure{Message: err.Error()}
		var callErr *CallError
		if errors.As(err, &callErr) {
			reply.Error.Data = callErr.Data
		}
	} else if value == nil {
		reply.Value = json.RawMessage("null")
	}
	if err := r.process.send(reply); err != nil {
		var invalid *json.MarshalerError
		if errors.As(err, &invalid) {
			r.answer(id, nil, fmt.Errorf("the host's answer is not JSON: %w", invalid))
		}
	}
}

func (r *run) closeLedger() []CallRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	for index, asked := range r.open {
		r.ledger[index].Duration = time.Since(asked)
		r.ledger[index].Error = openCall
	}
	return append([]CallRecord{}, r.ledger...)
}

const openCall = "the run ended before the call did: it may or may not have taken effect"

// crashReport begins what V8 prints when it gives up.
const crashReport = "\n<--- Last few GCs --->"

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
		return PhaseOK, nil
	}
	e := &ProgramError{Name: m.Name, Message: string(printable([]byte(m.Message)))}
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
	}
	return PhaseRuntimeError, e
}

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
	signal := signalOf(r.process.cmd)
	// V8 ends the process with a trap when its heap is full.
	if strings.Contains(stderr, "out of memory") && (signal == syscall.SIGTRAP || signal == syscall.SIGABRT || signal == syscall.SIGILL || signal == 0) {
		r.process.stderr.cutAt(crashReport)
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

// frame matches a stack frame of the program, which the harness imports from a
// blob.
var stackFrame = regexp.MustCompile(`blob:[^\s()]*:(\d+):(\d+)`)

// locate returns the innermost position of a stack that is in the program's text.
func (b *bundle) locate(stack string) (line, column int) {
	for _, m := range stackFrame.FindAllStringSubmatch(stack, -1) {
		l, _ := strconv.Atoi(m[1])
		c, _ := strconv.Atoi(m[2])
		if line, column = originalPosition(b.sourceMap, b.program, l, c-1); line > 0 {
			return line, column
		}
	}
	return 0, 0
}
