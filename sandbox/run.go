package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
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
	bundle, problem := parse(p, profile.packages)
	if problem != nil {
		return rejected(problem), nil
	}
	mistakes, problem := s.linkAndCheck(runCtx, p, profile, bundle)
	var refused *Result
	switch {
	case problem != nil:
		refused = rejected(problem)
	case runCtx.Err() != nil:
		return nil, s.cause(ctx, runCtx.Err())
	case len(mistakes) > 0 && s.opts.TypeCheck != TypeCheckReport:
		refused = wrongTypes(mistakes)
	}
	if refused != nil {
		refused.Bindings = bundle.bindings
		return refused, nil
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
			process.end()
			profile.pool.fill()
		}()
	}()
	r := &run{opts: &s.opts, program: p, profile: profile, bundle: bundle, process: process, slots: make(chan struct{}, s.opts.MaxInFlight)}
	if p.OnStart != nil {
		if err := p.OnStart(&Running{run: r}); err != nil {
			return nil, err
		}
	}
	result := r.do(runCtx)
	result.Waited, result.Layers, result.Diagnostics = waited, process.layers, mistakes
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
	idle    chan func()              // to a goroutine that waits for another call; serve's own

	calls sync.WaitGroup

	mu     sync.Mutex
	ledger []CallRecord
	open   map[int]time.Time // index in ledger → when the program asked
	// openArgs are the bytes of the arguments of open calls, refused the calls
	// beyond the limit.
	openArgs, refused int
	stop              Phase // why the host ended it, if it did
	stopped           error // what [Running.Stop] was told
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

	if last != nil && r.profile.Workspace == "" {
		r.process.stop() // the caller need not wait until it is gone
	} else {
		r.process.end() // it might still write into the folder that the caller looks at next
	}
	endCalls()
	r.calls.Wait()

	result := &Result{Calls: r.closeLedger(), Bindings: r.bundle.bindings, Duration: duration}
	r.judge(result, stop, last, readErr, timeout)
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
	r.idle = make(chan func())
	defer close(r.idle)
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
			if err := r.call(ctx, &m); err != nil {
				return nil, err
			}
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

// call enters a call in the ledger and answers it on a goroutine of its own. The
// error ends the run: the harness keeps to the bounds, so it was not the harness.
func (r *run) call(ctx context.Context, m *message) error {
	switch {
	case len(m.Target) > maxTarget:
		return fmt.Errorf("the target of a call has %d bytes, at most %d", len(m.Target), maxTarget)
	case len(m.Args) == 0 || len(m.Args) > maxArgs:
		return fmt.Errorf("the arguments of a call have %d bytes, want 1 to %d", len(m.Args), maxArgs)
	}
	target := printable([]byte(m.Target))
	r.mu.Lock()
	index := len(r.ledger)
	full := index >= r.opts.MaxCalls
	if full {
		r.refused++
	} else {
		r.ledger = append(r.ledger, CallRecord{Target: target})
		r.open[index] = time.Now()
	}
	r.openArgs += len(m.Args)
	refused, openArgs := r.refused, r.openArgs
	r.mu.Unlock()
	switch {
	case openArgs > maxOpenArgs:
		return fmt.Errorf("the arguments of the calls that are open have %d bytes, at most %d", openArgs, maxOpenArgs)
	case refused > r.opts.MaxCalls:
		return errTooManyCalls
	case full:
		// Not from here: the program may be waiting for its own frames to be read.
		r.work(func() {
			r.closeArgs(m)
			r.answer(m.ID, nil, fmt.Errorf("%s was not called: a program may make %d calls, and has", target, r.opts.MaxCalls))
		})
		return nil
	}
	group := r.group(m.Target)
	r.work(func() {
		defer r.closeArgs(m)
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
			value, err = r.program.Call(ctx, Call{Number: index + 1, Target: m.Target, Args: m.Args})
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
	return nil
}

// work runs a call on a goroutine that is idle, or on a new one: to grow the stack of a
// new one, in several steps, takes longer than all else that a call needs here.
func (r *run) work(call func()) {
	select {
	case r.idle <- call:
		return
	default:
	}
	idle := r.idle
	r.calls.Go(func() {
		for ok := true; ok; call, ok = <-idle {
			call()
			call = nil // else its arguments would be kept until the next one
		}
	})
}

// errTooManyCalls ends a run that makes as many calls again as it may.
var errTooManyCalls = errors.New("too many calls")

// closeArgs takes the arguments of a call off the budget.
func (r *run) closeArgs(m *message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.openArgs -= len(m.Args)
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
