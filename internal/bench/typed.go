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
		opts := env.Sandbox
		opts.PoolSize, opts.TypeCheck = defaultPool(), sandbox.TypeCheckEnforce
		box, err := sandbox.New(ctx, &opts)
		if err != nil {
			return row, err
		}
		defer func() { err = errors.Join(err, box.Close()) }()
		program := typedProgram(env, tools)
		took := make([]float64, 0, env.Sizes.Warm)
		for i := range env.Sizes.Warm + 1 {
			if err := rest(ctx, box, min(i, 1)*defaultPool()); err != nil {
				return row, err
			}
			begin := time.Now()
			result, err := box.Run(ctx, program)
			if err != nil {
				return row, err
			}
			if result.Phase != sandbox.PhaseOK || string(result.Value) != "2" {
				return row, fmt.Errorf("return 1 + 1 ended with %s: %w", result.Phase, result.Error)
			}
			if i > 0 { // the first one starts the language server
				took = append(took, time.Since(begin).Seconds()*1000)
			}
		}
		row.Measured = numbers(took)
		return row, nil
	}
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
