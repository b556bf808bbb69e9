// Command conformance is the client that the conformance suite of MCP tests: package
// mcpclient, and around it only what the suite asks a client to do in each scenario.
//
//	MCP_CONFORMANCE_SCENARIO=initialize go run ./internal/conformance http://localhost:3000/mcp
//
// The suite runs it with the address of a server of its own, and watches what the
// server sees. See the test for how to run the suite.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/oauthtest"
	"github.com/conductor/conductor/mcpclient"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "want the URL of a server")
		return 2
	}
	var given instructions
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			fmt.Fprintln(os.Stderr, "MCP_CONFORMANCE_CONTEXT:", err)
			return 2
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	if err := scenario(ctx, os.Getenv("MCP_CONFORMANCE_SCENARIO"), args[0], &given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// instructions are what the suite tells about a scenario.
type instructions struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	ToolCalls    []struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"toolCalls"`
}

const serverName = "suite"

// scenario connects and does what the scenario wants to see. That the suite's server
// refuses a request can be the very thing that is tested: it judges, not we.
func scenario(ctx context.Context, name, url string, given *instructions) error {
	server := mcpclient.Server{Name: serverName, URL: url}
	if strings.HasPrefix(name, "auth/") {
		server.OAuth = login(name, given)
	}
	client, err := mcpclient.Connect(ctx, []mcpclient.Server{server}, &mcpclient.Options{
		StartupWait: -1,
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Host:        mcpclient.Host{Elicit: accept(name)},
	})
	if err != nil {
		return err
	}
	err = act(ctx, client, name, given)
	return errors.Join(err, client.Close())
}

func act(ctx context.Context, client *mcpclient.Client, name string, given *instructions) error {
	status := client.Status()[0]
	if status.State != mcpclient.StateReady {
		return fmt.Errorf("%s: %w", status.State, status.Err)
	}
	if name == "http-standard-headers" {
		return errors.Join(callAll(ctx, client, nil), readFirst(ctx, client), promptFirst(ctx, client))
	}
	if len(given.ToolCalls) > 0 {
		for _, c := range given.ToolCalls {
			if _, err := client.Call(ctx, serverName, c.Name, c.Arguments, nil); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		return nil
	}
	switch name {
	case "json-schema-2020-12-preservation":
		return echoSchema(ctx, client)
	case "tools_call":
		return callAll(ctx, client, json.RawMessage(`{"a":5,"b":3}`))
	case "http-invalid-tool-headers":
		return callAll(ctx, client, json.RawMessage(`{"region":"us-west1"}`))
	}
	return callAll(ctx, client, nil)
}

// callAll calls each tool once.
func callAll(ctx context.Context, client *mcpclient.Client, args json.RawMessage) error {
	for _, t := range client.Tools(serverName) {
		if _, err := client.Call(ctx, serverName, t.Name, args, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return nil
}

func readFirst(ctx context.Context, client *mcpclient.Client) error {
	resources, err := client.Resources(ctx, serverName, nil)
	if err != nil || len(resources) == 0 {
		return err
	}
	_, err = client.ReadResource(ctx, serverName, resources[0].URI, nil)
	return err
}

func promptFirst(ctx context.Context, client *mcpclient.Client) error {
	prompts, err := client.Prompts(ctx, serverName, nil)
	if err != nil || len(prompts) == 0 {
		return err
	}
	_, err = client.Prompt(ctx, serverName, prompts[0].Name, nil, nil)
	return err
}

// echoSchema sends the schema of one tool to another one, as it was listed.
func echoSchema(ctx context.Context, client *mcpclient.Client) error {
	for _, t := range client.Tools(serverName) {
		if t.Name == "json_schema_2020_12_tool" {
			args, err := json.Marshal(map[string]json.RawMessage{"schema": t.InputSchema})
			if err != nil {
				return err
			}
			_, err = client.Call(ctx, serverName, "json_schema_echo", args, nil)
			return err
		}
	}
	return errors.New("the tool is not listed")
}

// accept answers every question of a server.
func accept(name string) func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
	return func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
		answer := &mcpclient.ElicitationAnswer{Action: mcpclient.ElicitAccept}
		if strings.HasPrefix(name, "sep-2322") {
			answer.Content = map[string]any{"confirmed": true}
		}
		return answer, nil
	}
}

// login is a user who agrees to everything: the suite's authorization server
// redirects at once.
func login(name string, given *instructions) *mcpclient.OAuth {
	if strings.HasPrefix(name, "auth/client-credentials") {
		return &mcpclient.OAuth{ClientID: given.ClientID, ClientSecret: given.ClientSecret, ClientCredentials: true}
	}
	return &mcpclient.OAuth{
		RedirectURL:       "http://localhost:3000/callback",
		ClientMetadataURL: "https://conformance-test.local/client-metadata.json",
		ClientID:          given.ClientID,
		ClientSecret:      given.ClientSecret,
		Authorize:         oauthtest.Agree,
	}
}
