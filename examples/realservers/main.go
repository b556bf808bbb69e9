// Realservers runs one program over four MCP servers from npm. It needs npx, and
// the network when it runs for the first time.
//
//	go run ./examples/realservers
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// intents are what a model would search for.
var intents = []string{
	"list the files in a folder",
	"read a text file",
	"create an entity in memory",
	"open remembered entities by name",
}

// wanted is what a model would load, having seen what was found.
var wanted = []string{
	"filesystem.list_directory",
	"filesystem.read_text_file",
	"memory.create_entities",
	"memory.open_nodes",
}

// program is what a model would write, having seen the types.
func program(folder string) string {
	path, _ := json.Marshal(folder) // a string always has a JSON form
	return `
import * as filesystem from "./mcp/filesystem";
import * as memory from "./mcp/memory";

const folder = ` + string(path) + `;
const listing = await filesystem.list_directory({ path: folder });
const names = listing.content
  .split("\n")
  .filter((line) => line.startsWith("[FILE] ") && line.endsWith(".txt"))
  .map((line) => line.slice("[FILE] ".length));

const texts = await Promise.all(
  names.map((name) => filesystem.read_text_file({ path: folder + "/" + name })),
);
const places = texts.flatMap((text) => text.content.trim().split("\n"));
console.log("read", names.join(" and "));

await memory.create_entities({
  entities: [{ name: "Norway", entityType: "country", observations: places }],
});
const { entities } = await memory.open_nodes({ names: ["Norway"] });
return { files: names.length, places: places.length, remembered: entities[0] };
`
}

func run(ctx context.Context, w io.Writer) (err error) {
	space, err := newWorkspace()
	if err != nil {
		return err
	}
	// Deferred first and so done last, when the servers are gone.
	defer func() { err = errors.Join(err, space.remove()) }()

	fmt.Fprintln(w, "== Connecting; npx installs the servers on the first run")
	c, err := conductor.New(ctx, &conductor.Options{
		Servers: servers(space.folder, space.memory),
		Client:  mcpclient.Options{StartupWait: -1}, // npm may have to fetch them first
		Sandbox: sandbox.Options{Progress: func(s string) { fmt.Fprintln(os.Stderr, s) }},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if !printStatus(w, c) {
		return errors.New("the program needs all of its servers")
	}

	conv, err := c.Conversation(ctx, "")
	if err != nil {
		return err
	}
	for _, intent := range intents {
		found, err := conv.FindTools(ctx, intent, &conductor.FindOptions{Limit: 3})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n== FindTools: %q\n", intent)
		for _, t := range found.Tools {
			fmt.Fprintf(w, "%.2f  %s\n", t.Score, t.Signature)
		}
	}
	specs, err := conv.LoadToolSpec(ctx, wanted...)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n== LoadToolSpec\n%s", specs.Text())
	code := program(space.folder)
	fmt.Fprintf(w, "\n== Execute%s", code)
	result, err := conv.Execute(ctx, code, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n== %s after %.0f ms\n%s", result.Phase, result.DurationMS, result.Text())
	fmt.Fprintf(w, "\n== %d calls\n", len(result.Calls))
	for _, call := range result.Calls {
		fmt.Fprintf(w, "%-25s ok=%v  %.1f ms  %d bytes\n", call.Tool, call.OK, call.DurationMS, call.ResultBytes)
	}
	if result.Phase != sandbox.PhaseOK {
		return errors.New("the program failed")
	}
	return nil
}

// printStatus says of each server what it offers, or why it is not there. It
// returns whether all are.
func printStatus(w io.Writer, c *conductor.Conductor) bool {
	all := true
	for _, s := range c.Status() {
		if s.State != mcpclient.StateReady {
			fmt.Fprintf(w, "%-10s  %s: %v\n", s.Name, s.State, s.Err)
			all = false
			continue
		}
		fmt.Fprintf(w, "%-10s  tools: %2d  connected in %v  (%s %s)\n",
			s.Name, s.Tools, s.ConnectTime.Round(10*time.Millisecond), s.ServerName, s.ServerVersion)
	}
	return all
}
