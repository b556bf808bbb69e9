package mcpclient_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// calculator starts a server in this process and returns how to reach it.
func calculator() mcp.Transport {
	server := mcp.NewServer(&mcp.Implementation{Name: "calculator", Version: "2.0.0"}, nil)
	type numbers struct {
		A int64 `json:"a"`
		B int64 `json:"b"`
	}
	type sum struct {
		Sum int64 `json:"sum"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "adds two numbers"},
		func(_ context.Context, _ *mcp.CallToolRequest, n numbers) (*mcp.CallToolResult, sum, error) {
			return nil, sum{n.A + n.B}, nil
		})
	near, far := mcp.NewInMemoryTransports()
	if _, err := server.Connect(context.Background(), far, nil); err != nil {
		panic(err)
	}
	return near
}

func ExampleConnect() {
	client, err := mcpclient.Connect(context.Background(), []mcpclient.Server{
		{Name: "calc", Transport: calculator()},
		{Name: "ghost", Command: "no-such-command-here"},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, tool := range client.Tools("calc") {
		fmt.Printf("%s %s\n", tool.ID(), tool.Description)
	}
	// Output: calc.add adds two numbers
}

func ExampleClient_Call() {
	client, err := mcpclient.Connect(context.Background(), []mcpclient.Server{{Name: "calc", Transport: calculator()}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	result, err := client.Call(context.Background(), "calc", "add", json.RawMessage(`{"a":2,"b":40}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(result.Structured))
	// Output: {"sum":42}
}

func ExampleClient_Status() {
	client, err := mcpclient.Connect(context.Background(), []mcpclient.Server{
		{Name: "calc", Transport: calculator()},
		{Name: "ghost", Command: "no-such-command-here"},
		{Name: "later", URL: "https://mcp.example.com/mcp", Disabled: true},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, s := range client.Status() {
		fmt.Println(s.Name, s.Transport, s.State, s.ServerVersion, s.Tools)
		if s.Err != nil {
			fmt.Println("   ", s.Err)
		}
	}
	// Output:
	// calc custom ready 2.0.0 1
	// ghost stdio failed  0
	//     command "no-such-command-here" was not found in PATH: install it, or set Command to its full path
	// later http disabled  0
}
