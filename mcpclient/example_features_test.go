package mcpclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os/exec"
	"path/filepath"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// librarian is a server in this process, with a resource and a tool that asks the
// user.
func librarian() mcp.Transport {
	s := mcp.NewServer(&mcp.Implementation{Name: "librarian", Version: "1"}, nil)
	s.AddResource(&mcp.Resource{URI: "book://1", Name: "moby-dick", Title: "Moby Dick"}, func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: r.Params.URI, Text: "Call me Ishmael."}}}, nil
	})
	s.AddTool(&mcp.Tool{Name: "lend", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		answer, ok := r.Params.InputResponses["until"].(*mcp.ElicitResult)
		if !ok {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"until": &mcp.ElicitParams{Mode: "form", Message: "Until when?",
				RequestedSchema: json.RawMessage(`{"type":"object","properties":{"day":{"type":"string"}}}`)}}}, nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf("lent until %v", answer.Content["day"])}}}, nil
	})
	near, far := mcp.NewInMemoryTransports()
	go func() { _ = s.Run(context.Background(), far) }()
	return near
}

func ExampleClient_ReadResource() {
	ctx := context.Background()
	c, err := mcpclient.Connect(ctx, []mcpclient.Server{{Name: "library", Transport: librarian()}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	resources, err := c.Resources(ctx, "library", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range resources {
		contents, err := c.ReadResource(ctx, "library", r.URI, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", r.Title, contents[0].Text)
	}
	// Output: Moby Dick: Call me Ishmael.
}

// A server that asks the user in the middle of a call.
func ExampleHost() {
	ctx := context.Background()
	host := mcpclient.Host{Elicit: func(_ context.Context, e *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
		fmt.Printf("%s asks: %s\n", e.Server, e.Message) // and show the form of e.Schema
		return &mcpclient.ElicitationAnswer{Action: mcpclient.ElicitAccept, Content: map[string]any{"day": "Friday"}}, nil
	}}
	c, err := mcpclient.Connect(ctx, []mcpclient.Server{{Name: "library", Transport: librarian()}}, &mcpclient.Options{Host: host})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	r, err := c.Call(ctx, "library", "lend", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Content[0].Text)
	// Output:
	// library asks: Until when?
	// lent until Friday
}

// A server that asks for a login. What prints the options does not print the secret.
func ExampleOAuth() {
	server := mcpclient.Server{Name: "tracker", URL: "https://tracker.example.com/mcp", OAuth: &mcpclient.OAuth{
		ClientID: "my-app", ClientSecret: "do not print this",
		RedirectURL: "http://127.0.0.1:8976/callback",
		Authorize: func(ctx context.Context, authorizationURL string) (string, error) {
			if err := exec.CommandContext(ctx, "xdg-open", authorizationURL).Start(); err != nil {
				return "", err
			}
			return waitForCallback(ctx) // the URL with code and state that the browser was sent to
		},
		Store: &mcpclient.FileTokens{Path: filepath.Join("config", "tokens.json")},
	}}
	fmt.Println(server)
	// Output: mcpclient.Server{Name: "tracker", URL: "https://tracker.example.com/mcp", OAuth: mcpclient.OAuth{ClientID: "my-app", ClientSecret: set, ClientCredentials: false, Scopes: []}}
}

func waitForCallback(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}
