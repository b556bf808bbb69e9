package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/sandbox"
)

// typed measures the run of a program whose types are checked first, against a
// module of so many tools.
func typed(tools int) func(context.Context, *Env) (Row, error) {
	return func(ctx context.Context, env *Env) (row Row, err error) {
		var boxes [2]*sandbox.Sandbox
		for i, mode := range []sandbox.TypeCheck{sandbox.TypeCheckEnforce, sandbox.TypeCheckOff} {
			opts := env.Sandbox
			opts.PoolSize, opts.TypeCheck = defaultPool(), mode
			if boxes[i], err = sandbox.New(ctx, &opts); err != nil {
				return row, err
			}
			defer func() { err = errors.Join(err, boxes[i].Close()) }()
		}
		program := typedProgram(env, tools)
		var took [2][]time.Duration
		for i := range env.Sizes.Warm + 1 {
			for j, box := range boxes {
				if j == 1 && i%3 != 0 {
					continue
				}
				one, err := timeProgram(ctx, box, program, min(i, 1)*defaultPool())
				if err != nil {
					return row, err
				}
				if i > 0 { // the first one starts the language server, and fills the pool
					took[j] = append(took[j], one)
				}
			}
		}
		row.Measured = times(took[0])
		row.Baseline = &Baseline{"the same program without type check", times(took[1])}
		return row, nil
	}
}

// timeProgram runs a program whose value is 2, with so many processes waiting.
func timeProgram(ctx context.Context, box *sandbox.Sandbox, program *sandbox.Program, waiting int) (time.Duration, error) {
	if err := rest(ctx, box, waiting); err != nil {
		return 0, err
	}
	begin := time.Now()
	result, err := box.Run(ctx, program)
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	if result.Phase != sandbox.PhaseOK || string(result.Value) != "2" {
		return 0, fmt.Errorf("return 1 + 1 ended with %s: %w", result.Phase, result.Error)
	}
	return took, nil
}

// typedProgram imports all the tools of one server, and calls none.
func typedProgram(env *Env, n int) *sandbox.Program {
	var tools []codegen.Tool
	var names []string
	for _, s := range env.servers(n) {
		for _, t := range s.Tools {
			t.Server, t.Name = "bench", fmt.Sprintf("%s_%s", s.Name, t.Name)
			tools, names = append(tools, t), append(names, t.Name)
		}
	}
	server := codegen.NewServer("bench", tools, &codegen.Options{BridgeModule: sandbox.BridgeModule})
	return &sandbox.Program{
		Code:    server.ImportLine() + fmt.Sprintf("\nconst tool: (...args: any[]) => Promise<any> = bench[%q];\nreturn typeof tool === \"function\" ? 1 + 1 : 0;", server.FunctionName(names[0])),
		Modules: []sandbox.Module{{Specifier: server.ModulePath(), Source: server.Module(names...)}},
	}
}
