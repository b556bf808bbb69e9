package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/conductor/conductor/internal/typecheck"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

// TypeCheck says what becomes of a program whose types are wrong.
type TypeCheck string

// The choices for [Options.TypeCheck].
const (
	// TypeCheckAuto is TypeCheckEnforce if TypeScript is there or can be fetched, and
	// else TypeCheckOff, with a warning in the log.
	TypeCheckAuto TypeCheck = ""
	// TypeCheckEnforce does not run the program: the phase is [PhaseTypeError], and
	// no call was made. [New] fails if there is no TypeScript.
	TypeCheckEnforce TypeCheck = "enforce"
	// TypeCheckReport runs it, and adds the mistakes to [Result.Diagnostics].
	TypeCheckReport TypeCheck = "report"
	// TypeCheckOff checks nothing.
	TypeCheckOff TypeCheck = "off"
)

// newChecker makes the type checker that the options ask for, or nil.
func newChecker(ctx context.Context, opts *Options) (*typecheck.Checker, error) {
	switch opts.TypeCheck {
	case TypeCheckOff:
		return nil, nil
	case TypeCheckAuto, TypeCheckEnforce, TypeCheckReport:
	default:
		return nil, fmt.Errorf("sandbox: Options.TypeCheck is %q, want %q, %q, %q or empty", opts.TypeCheck, TypeCheckEnforce, TypeCheckReport, TypeCheckOff)
	}
	cache, err := opts.cacheDir()
	if err != nil {
		return nil, err
	}
	checker, err := typecheck.New(ctx, &typecheck.Options{CacheDir: cache, Logger: opts.Logger, Progress: opts.Progress})
	if err == nil {
		return checker, nil
	}
	if opts.TypeCheck == TypeCheckAuto && errors.Is(err, typecheck.ErrNoTSC) && ctx.Err() == nil {
		opts.Logger.Warn("sandbox: programs run without a type check", "error", err)
		return nil, nil
	}
	return nil, fmt.Errorf("sandbox: %w", err)
}

// linkAndCheck does both at the same time. What link finds comes first: the types of
// an import that is not there are no news.
func (s *Sandbox) linkAndCheck(ctx context.Context, p *Program, profile *prepared, b *bundle) ([]ProgramError, *ProgramError) {
	if s.types == nil {
		return nil, b.link(ctx, p, profile.packages)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mistakes []ProgramError
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		var err error
		if mistakes, err = s.checkTypes(ctx, p, profile, b); err != nil && ctx.Err() == nil {
			// The checker has failed, and not the program: it may run, as it would have
			// where there is none.
			s.opts.Logger.Warn("sandbox: a program runs without a type check", "error", err)
		}
	}()
	problem := b.link(ctx, p, profile.packages)
	if problem != nil {
		cancel()
	}
	<-checked
	return mistakes, problem
}

// checkTypes returns the mistakes of a program that esbuild has accepted.
func (s *Sandbox) checkTypes(ctx context.Context, p *Program, profile *prepared, b *bundle) ([]ProgramError, error) {
	lines := strings.Count(b.program, "\n") + 1
	program := &typecheck.Program{
		Wrapped: b.checked,
		UserLine: func(line int) int {
			if line == lines+1 || line > 2*lines+1 {
				return 0 // the wrapper's own
			}
			return userLine(line, lines)
		},
		Deno: profile.granted,
	}
	for _, m := range p.Modules {
		program.Modules = append(program.Modules, typecheck.Module{Specifier: m.Specifier, Source: m.Source})
	}
	if set := profile.packages; set != nil {
		program.PackageDir = set.Dir
		for _, specifier := range b.specifiers {
			if found, err := set.Resolve(specifier); err == nil {
				program.Packages = append(program.Packages, typesOf(set, specifier, found))
			}
		}
	}
	found, err := s.types.Check(ctx, program)
	if errors.Is(err, typecheck.ErrTooComplex) {
		return []ProgramError{{Message: err.Error(), Hint: "write it in a simpler way, with less type arithmetic"}}, nil
	}
	var mistakes []ProgramError
	for _, d := range found {
		mistakes = append(mistakes, ProgramError{Name: fmt.Sprintf("TS%d", d.Code), Message: d.Message, Line: d.Line, Column: d.Column, Hint: d.Hint})
	}
	return mistakes, err
}

// typesOf says where the types of an imported package are.
func typesOf(set *deps.Set, specifier string, found *deps.Import) typecheck.Package {
	p := typecheck.Package{Specifier: specifier, Path: found.Path}
	if found.Package.Registry == "npm" {
		p.Dir = filepath.Join(set.Dir, "node_modules", filepath.FromSlash(found.Package.Name))
		return p
	}
	entry := "."
	if found.Path != "" {
		entry = "./" + found.Path
	}
	p.File = filepath.Join(set.Dir, filepath.FromSlash(found.Package.Exports[entry]))
	return p
}

// wrongTypes is the result of a program that was not run because of its types.
func wrongTypes(mistakes []ProgramError) *Result {
	first := mistakes[0]
	return &Result{Phase: PhaseTypeError, Error: &first, Diagnostics: mistakes, Calls: []CallRecord{}}
}
