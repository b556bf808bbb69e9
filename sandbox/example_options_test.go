package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/conductor/conductor/sandbox"
)

// show runs one program and prints how it ended.
func show(opts *sandbox.Options, p *sandbox.Program) {
	ctx := context.Background()
	s, err := sandbox.New(ctx, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(ctx, p)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(result.Phase)
	if result.Value != nil {
		fmt.Printf(" %s", result.Value)
	}
	if result.Error != nil {
		fmt.Printf(": %s", result.Error.Hint)
	}
	fmt.Println()
}

// Memory is bounded as a whole: the JavaScript heap, buffers, WebAssembly and
// workers.
func ExampleProfile_memoryMB() {
	show(&sandbox.Options{Profile: sandbox.Profile{MemoryMB: 64}},
		&sandbox.Program{Code: "const all = []; for (;;) all.push(new Array(1e6).fill(0))"})
	// Output: memory: handle the data in smaller parts
}

// Processor time is bounded too, however long a program may take.
func ExampleProfile_cpu() {
	show(&sandbox.Options{Timeout: time.Minute, Profile: sandbox.Profile{CPU: time.Second}},
		&sandbox.Program{Code: "for (;;) {}"})
	// Output: timeout: look for a loop that does not end
}

// A workspace is the one folder that a program can read and write.
func ExampleProfile_workspace() {
	dir, err := os.MkdirTemp("", "workspace-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "in.txt"), []byte("1 2 3"), 0o600); err != nil {
		log.Fatal(err)
	}
	show(&sandbox.Options{Profile: sandbox.Profile{Workspace: dir}}, &sandbox.Program{Code: `
		const numbers = (await Deno.readTextFile("in.txt")).split(" ").map(Number);
		await Deno.writeTextFile("out.txt", String(numbers.reduce((a, b) => a + b)));
		return await Deno.readTextFile("../in.txt").catch((e) => e.name);`})
	out, err := os.ReadFile(filepath.Join(dir, "out.txt"))
	fmt.Println(string(out), err)
	// Output:
	// ok "NotCapable"
	// 6 <nil>
}

// Permissions are the host's to give.
func ExampleProfile_permissions() {
	os.Setenv("REGION", "north")
	show(&sandbox.Options{Profile: sandbox.Profile{Permissions: sandbox.Permissions{Env: []string{"REGION"}}}},
		&sandbox.Program{Code: `[Deno.env.get("REGION"), await fetch("https://example.com/").catch((e) => e.name)]`})
	// Output: ok ["north","NotCapable"]
}

// A program whose types are wrong does not run.
func ExampleOptions_typeCheck() {
	show(&sandbox.Options{TypeCheck: sandbox.TypeCheckEnforce}, &sandbox.Program{
		Code: `
			import { price } from "./shop";
			return await price({ itm: "tea" })`,
		Modules: []sandbox.Module{{Specifier: "./shop", Source: `
			import { call } from "conductor:bridge";
			export function price(args: { item: string }): Promise<number> { return call("shop.price", args); }`}},
	})
	// Output: type_error: did you mean to write 'item'?
}

// The layers of the operating system can be a condition.
func ExampleOptions_isolation() {
	s, err := sandbox.New(context.Background(), &sandbox.Options{Isolation: sandbox.IsolationRequire})
	if errors.Is(err, sandbox.ErrIsolation) {
		fmt.Println("held or refused: true") // this machine lacks one; err says which and why
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(context.Background(), &sandbox.Program{Code: "1"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("held or refused:", slices.Contains(result.Layers, "landlock") && slices.Contains(result.Layers, "seccomp"))
	// Output: held or refused: true
}

// Output is kept up to a limit, and all of it is counted.
func ExampleOptions_maxOutput() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, &sandbox.Options{MaxOutput: 10})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(ctx, &sandbox.Program{Code: `for (let i = 0; i < 100; i++) console.log("line", i)`})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.StdoutBytes)
	fmt.Println(result.Stdout)
	// Output:
	// 790
	// [cut: the first 10 of 790 bytes]
	// line 0
	// lin
}

// A value over the limit comes as a preview; the host can have the whole.
func ExampleOptions_maxValue() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, &sandbox.Options{MaxValue: 20})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(ctx, &sandbox.Program{Code: `Array.from({ length: 20 }, (_, i) => i)`})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(result.Value))
	fmt.Println(len(result.Whole))
	// Output:
	// {"truncated":true,"type":"array","length":20,"bytes":51,"preview":"[0,1,"}
	// 51
}

// Calls are bounded in number.
func ExampleOptions_maxCalls() {
	show(&sandbox.Options{MaxCalls: 2}, &sandbox.Program{
		Code: `
			import { call } from "conductor:bridge";
			let n = 0;
			try { for (;;) { await call("count", {}); n++ } } catch (e) { return n }`,
		Call: func(context.Context, sandbox.Call) (json.RawMessage, error) { return nil, nil },
	})
	// Output: ok 2
}

// Limit keeps a program from asking one target for too much at a time.
func ExampleProgram_limit() {
	show(nil, &sandbox.Program{
		Code: `
			import { call } from "conductor:bridge";
			return (await Promise.all([1, 2, 3].map((n) => call("slow.server", { n })))).length`,
		Call:  func(context.Context, sandbox.Call) (json.RawMessage, error) { return nil, nil },
		Limit: func(target string) (string, int) { return "slow", 1 },
	})
	// Output: ok 3
}

// A pool of waiting processes makes a run start at once. It fills after the first
// run.
func ExampleOptions_poolSize() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, &sandbox.Options{PoolSize: 2, PoolIdle: time.Minute, MaxRuns: 4})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for range 2 {
		if _, err := s.Run(ctx, &sandbox.Program{Code: "1"}); err != nil {
			log.Fatal(err)
		}
		for s.Pool().Waiting < 2 {
			time.Sleep(time.Millisecond)
		}
	}
	fmt.Printf("%d cold, %d warm\n", s.Pool().Cold, s.Pool().Warm)
	// Output: 1 cold, 1 warm
}

// The program's time stands still while a person is asked.
func ExamplePauseClock() {
	show(&sandbox.Options{WallTimeout: time.Minute}, &sandbox.Program{
		Code:    `import { call } from "conductor:bridge"; return await call("delete", {})`,
		Timeout: 500 * time.Millisecond,
		Call: func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
			resume := sandbox.PauseClock(ctx)
			time.Sleep(time.Second) // the person thinks
			resume()
			return json.RawMessage(`"approved"`), nil
		},
	})
	// Output: ok "approved"
}

// A profile can differ from program to program. (The type check knows as well: without
// it being off, the first program would not run.)
func ExampleProgram_profile() {
	s, err := sandbox.New(context.Background(), &sandbox.Options{TypeCheck: sandbox.TypeCheckOff})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for _, profile := range []*sandbox.Profile{nil, {Permissions: sandbox.Permissions{Sys: []string{"hostname"}}}} {
		result, err := s.Run(context.Background(), &sandbox.Program{Profile: profile, Code: `
			try { return Deno.hostname() !== "" } catch (e) { return e.name }`})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(result.Value))
	}
	// Output:
	// "NotCapable"
	// true
}
