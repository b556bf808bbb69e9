package conductor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
)

// files is a small server in this process, for the examples.
func files(ctx context.Context) mcpclient.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "files", Version: "1"}, nil)
	for _, tool := range []*mcp.Tool{
		{Name: "read_file", Description: "Read a file", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}},
		{Name: "delete_file", Description: "Delete a file"},
	} {
		tool.InputSchema = json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`)
		server.AddTool(tool, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil
		})
	}
	client, transport := mcp.NewInMemoryTransports()
	go func() { _ = server.Run(ctx, transport) }()
	return mcpclient.Server{Name: "files", Transport: client}
}

// A policy hides tools from every conversation, and from some of them more.
func ExamplePolicy() {
	ctx := context.Background()
	c, err := conductor.New(ctx, &conductor.Options{
		Servers:     []mcpclient.Server{files(ctx)},
		Policy:      conductor.Policy{Deny: []string{"*.delete_*"}},
		LazySandbox: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	loaded, err := conv.LoadToolSpec(ctx, "files.read_file", "files.delete_file")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(loaded.Specs[0].Name, "is loaded")
	fmt.Println(loaded.Unknown[0].Name+":", loaded.Unknown[0].Reason)
	guest, err := conv.As("guest", &conductor.Policy{Allow: []string{"calendar.*"}})
	if err != nil {
		log.Fatal(err)
	}
	found, err := guest.FindTools(ctx, "read a file", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a guest finds", len(found.Tools))
	// Output:
	// files.read_file is loaded
	// files.delete_file: it may not be used in this conversation
	// a guest finds 0
}

// Somebody is asked before a tool is called that does more than read.
func ExamplePolicy_approve() {
	ctx := context.Background()
	// readme:begin approve
	ask := func(ctx context.Context, call *conductor.PendingCall) error {
		if call.Tool.Annotations.ReadOnlyHint {
			return nil
		}
		fmt.Printf("%s wants %s(%s)\n", call.User, call.Tool.ID(), call.Args)
		return conductor.Deny("not on a Friday") // or wait for an answer
	}
	policy := conductor.Policy{Deny: []string{"*.format_*"}, Approve: ask}
	// readme:end
	c, err := conductor.New(ctx, &conductor.Options{Servers: []mcpclient.Server{files(ctx)}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	if conv, err = conv.As("ada", &policy); err != nil {
		log.Fatal(err)
	}
	if _, err := conv.LoadToolSpec(ctx, "files.read_file", "files.delete_file"); err != nil {
		log.Fatal(err)
	}
	result, err := conv.Execute(ctx, `
		import * as files from "./mcp/files";
		const read = await files.read_file({ path: "a" });
		const deleted = await files.delete_file({ path: "a" }).catch((e) => e.message);
		return [read, deleted];`, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(result.Value))
	// Output:
	// ada wants files.delete_file({"path":"a"})
	// ["done","files.delete_file was denied: not on a Friday"]
}

// A line is written before each call, and one after it.
func ExampleAuditLog() {
	ctx := context.Background()
	var lines bytes.Buffer // or a file
	c, err := conductor.New(ctx, &conductor.Options{
		Servers:   []mcpclient.Server{files(ctx)},
		Audit:     conductor.NewAuditLog(&lines),
		AuditArgs: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := conv.LoadToolSpec(ctx, "files.read_file"); err != nil {
		log.Fatal(err)
	}
	_, err = conv.Execute(ctx, `
		import * as files from "./mcp/files";
		await files.read_file({ path: "https://ada:secret@example.com/a" });`, nil)
	if err != nil {
		log.Fatal(err)
	}
	for decoder := json.NewDecoder(&lines); decoder.More(); {
		var r conductor.AuditRecord
		if err := decoder.Decode(&r); err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Call, r.Tool, r.Outcome, string(r.Args))
	}
	// Output:
	// 1 files.read_file started {"path":"https://[redacted]@example.com/a"}
	// 1 files.read_file ok {"path":"https://[redacted]@example.com/a"}
}
