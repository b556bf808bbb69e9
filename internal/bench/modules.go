package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/internal/typecheck"
)

// modules counts the generated modules in which the compiler finds a mistake.
func modules(ctx context.Context, env *Env) (row Row, err error) {
	servers, source, err := env.corpus()
	if err != nil {
		return row, err
	}
	checker, err := typecheck.New(ctx, &typecheck.Options{CacheDir: env.Sandbox.CacheDir, Logger: env.Sandbox.Logger, Progress: env.Sandbox.Progress})
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, checker.Close()) }()
	wrong, tools := 0, 0
	for _, s := range servers {
		var names []string
		for _, t := range s.Tools {
			names = append(names, t.Name)
		}
		tools += len(names)
		module := codegen.NewServer(s.Name, s.Tools, nil).Module(names...)
		mistakes, err := checker.Check(ctx, &typecheck.Program{Wrapped: module, Syntax: true})
		if err != nil {
			return row, fmt.Errorf("the module of %s: %w", s.Name, err)
		}
		if len(mistakes) > 0 {
			wrong++
			row.Notes = append(row.Notes, fmt.Sprintf("%s, line %d: %s", s.Name, mistakes[0].Line, mistakes[0].Message))
		}
	}
	row.Measured = numbers([]float64{float64(wrong)})
	row.Notes = append(row.Notes[:min(len(row.Notes), maxNamed)], fmt.Sprintf("of %d modules with %d tools; tools are %s", len(servers), tools, source))
	return row, nil
}

// maxNamed is how many modules are named.
const maxNamed = 5
