package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/conductor/conductor/sandbox"
)

func Example() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(ctx, &sandbox.Program{Code: "return 6 * 7"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Phase, string(result.Value))
	// Output: ok 42
}

// A module gives the program functions of the host.
func ExampleProgram_call() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(ctx, &sandbox.Program{
		Code: `
			import { price } from "./shop";
			const prices = await Promise.all(["tea", "cake"].map(price));
			return prices.reduce((a, b) => a + b);`,
		Modules: []sandbox.Module{{Specifier: "./shop", Source: `
			import { call } from "conductor:bridge";
			export function price(item: string): Promise<number> { return call("shop.price", { item }); }`}},
		Call: func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
			var args struct{ Item string }
			if err := json.Unmarshal(c.Args, &args); err != nil {
				return nil, err
			}
			return json.Marshal(len(args.Item)) // a letter costs 1
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(result.Value), len(result.Calls))
	// Output: 7 2
}

// A program that does not end is killed when its time is up. What it wrote is
// kept.
func ExampleOptions_timeout() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, &sandbox.Options{Timeout: 200 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	result, err := s.Run(ctx, &sandbox.Program{Code: `console.log("here"); while (true) {}`})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Phase, result.Error.Message)
	fmt.Print(result.Stdout)
	// Output:
	// timeout the program was stopped after 200ms: it had not ended
	// here
}

// What a program did wrong is in the result, at its own lines.
func ExampleResult_error() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for _, code := range []string{
		"const a = 1;\nconst b = ;",
		"const users: any = null;\nreturn users.length;",
		`return await Deno.readTextFile("/etc/passwd");`,
	} {
		result, err := s.Run(ctx, &sandbox.Program{Code: code})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Phase, "|", result.Error)
	}
	// Output:
	// rejected | line 2, column 11: SyntaxError: Unexpected ";"
	// runtime_error | line 2, column 14: TypeError: Cannot read properties of null (reading 'length')
	// type_error | line 1, column 14: TS2304: Cannot find name 'Deno'.
}

// OnLog hears the program while it runs.
func ExampleProgram_onLog() {
	ctx := context.Background()
	s, err := sandbox.New(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	_, err = s.Run(ctx, &sandbox.Program{
		Code:  `console.log("half"); console.warn("careful");`,
		OnLog: func(l sandbox.Log) { fmt.Println(l.Level, l.Message) },
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// INFO half
	// WARN careful
}
