// Quickstart finds, loads and runs tools of two small MCP servers that live in
// this program: it needs nothing but Go, and npm or Deno.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// program is what a model would write once it has seen the types.
const program = `
import * as crm from "./mcp/crm";
import * as billing from "./mcp/billing";

const { customers } = await crm.list_customers({ country: "NO" });
const lists = await Promise.all(
  customers.map((c) => billing.list_invoices({ customer_id: c.id })),
);
const owed = customers.map((c, i) => ({
  name: c.name,
  owed: lists[i].invoices.filter((v) => !v.paid).reduce((sum, v) => sum + v.amount, 0),
}));
console.log("customers:", customers.length);
return owed.sort((a, b) => b.owed - a.owed).slice(0, 3);
`

func run(ctx context.Context) error {
	// readme:begin quickstart
	c, err := conductor.New(ctx, &conductor.Options{
		Servers: []mcpclient.Server{
			{Name: "crm", Transport: crm(ctx)},
			{Name: "billing", Transport: billing(ctx)},
		},
		Sandbox: sandbox.Options{Progress: func(s string) { fmt.Fprintln(os.Stderr, s) }},
	})
	if err != nil {
		return err
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		return err
	}
	found, err := conv.FindTools(ctx, "which customers owe us money", nil)
	if err != nil {
		return err
	}
	specs, err := conv.LoadToolSpec(ctx, "crm.list_customers", "billing.list_invoices")
	if err != nil {
		return err
	}
	result, err := conv.Execute(ctx, program, nil)
	if err != nil {
		return err
	}
	// readme:end
	fmt.Printf("== FindTools: %q\n%s\n", "which customers owe us money", found.Text())
	fmt.Printf("== LoadToolSpec\n%s\n", specs.Text())
	fmt.Printf("== Execute%s\n", program)
	fmt.Printf("== %s after %.0f ms\n%s", result.Phase, result.DurationMS, result.Text())
	printCalls(result)
	printTokens(c, conv, found, specs, result)
	return nil
}

func printCalls(result *conductor.Result) {
	fmt.Printf("\n== %d calls\n", len(result.Calls))
	for i, call := range result.Calls {
		if i == 3 {
			fmt.Printf("and %d more\n", len(result.Calls)-i)
			break
		}
		fmt.Printf("%-22s ok=%v  %.1f ms  %d bytes\n", call.Tool, call.OK, call.DurationMS, call.ResultBytes)
	}
}

// printTokens compares what went through the model with what would have without
// programs: every schema, and every result. A token is about four bytes of such
// text. Requests that repeat the growing history are not even counted.
func printTokens(c *conductor.Conductor, conv *conductor.Conversation, found *conductor.FindResult, specs *conductor.LoadResult, result *conductor.Result) {
	direct := 0
	for _, t := range c.Tools() {
		schema, _ := json.Marshal(t) // a tool came from JSON
		direct += len(schema)
	}
	for _, call := range result.Calls {
		direct += call.ResultBytes
	}
	spent := len(conv.Prompt()) + len(found.Text()) + len(specs.Text()) + len(program) + len(result.Text())
	for _, d := range conductor.Definitions() {
		spent += len(d.Description) + len(d.InputSchema)
	}
	fmt.Printf("\n== about %d tokens went through the model; %d with direct tool calls: %d %% saved\n", spent/4, direct/4, 100-100*spent/direct)
}
