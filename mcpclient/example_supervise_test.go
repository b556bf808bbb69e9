package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// counter is a server in this process that counts the calls of each connection. Each
// attempt to connect gets a transport of its own.
func counter() mcpclient.Server {
	return mcpclient.Server{Name: "counter", Dial: func(context.Context) (mcp.Transport, error) {
		calls := 0
		server := mcp.NewServer(&mcp.Implementation{Name: "counter", Version: "1.0.0"}, nil)
		server.AddTool(&mcp.Tool{Name: "count", InputSchema: json.RawMessage(`{"type":"object"}`)},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				calls++
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(calls)}}}, nil
			})
		server.AddTool(&mcp.Tool{Name: "wait", InputSchema: json.RawMessage(`{"type":"object"}`)},
			func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
		near, far := mcp.NewInMemoryTransports()
		_, err := server.Connect(context.Background(), far, nil)
		return near, err
	}}
}

// A host is told of every change, and can change what is connected while it runs.
func ExampleClient_Reconnect() {
	ctx := context.Background()
	client, err := mcpclient.Connect(ctx, nil, &mcpclient.Options{
		OnChange: func(s mcpclient.Status, tools []mcpclient.Tool) {
			fmt.Println(s.Name, "is", s.State, "with", len(tools), "tools")
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if err := client.Add(ctx, counter()); err != nil {
		fmt.Println(err)
	}
	if err := client.Reconnect("counter"); err != nil {
		fmt.Println(err)
	}
	if err := client.Settle(ctx, "counter"); err != nil {
		fmt.Println(err)
	}
	if err := client.Disable("counter"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// counter is ready with 2 tools
	// counter is connecting with 2 tools
	// counter is ready with 2 tools
	// counter is disabled with 0 tools
}

// Each conversation has a connection of its own, so that what the server keeps for one
// is not seen by another.
func ExampleSharing() {
	ctx := context.Background()
	server := counter()
	server.Sharing = mcpclient.SharingPerConversation
	client, err := mcpclient.Connect(ctx, []mcpclient.Server{server}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, conversation := range []string{"ada", "ada", "grace"} {
		result, err := client.Call(ctx, "counter", "count", nil, &mcpclient.CallOptions{Conversation: conversation})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(conversation, result.Content[0].Text)
	}
	// Output:
	// ada 1
	// ada 2
	// grace 1
}

// A call without an answer says whether it can have had an effect.
func ExampleCallOptions() {
	ctx := context.Background()
	client, err := mcpclient.Connect(ctx, []mcpclient.Server{counter()}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	_, err = client.Call(ctx, "counter", "wait", nil, &mcpclient.CallOptions{Timeout: 100 * time.Millisecond})
	fmt.Println(err)
	var failed *mcpclient.CallError
	fmt.Println(errors.As(err, &failed) && failed.OutcomeUnknown, errors.Is(err, context.DeadlineExceeded))
	// Output:
	// calling counter.wait: the server did not answer within 100ms; the call may or may not have taken effect
	// true true
}
