package mcpclient_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// BenchmarkCall is a call of a server over stdio, beside one of go-sdk alone to the same.
func BenchmarkCall(b *testing.B) {
	args := json.RawMessage(`{"title":"a small call, as most are","labels":["bug","ui"],"n":1}`)

	b.Run("client", func(b *testing.B) {
		c, err := mcpclient.Connect(b.Context(), []mcpclient.Server{self("good")}, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Call(b.Context(), "good", "echo", args, nil); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("session", func(b *testing.B) {
		s := self("good")
		cmd := exec.Command(s.Command)
		cmd.Env = append(os.Environ(), personality+"="+s.Name)
		session, err := mcp.NewClient(&mcp.Implementation{Name: "bench"}, nil).Connect(b.Context(), &mcp.CommandTransport{Command: cmd},
			&mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"}) // as the client
		if err != nil {
			b.Fatal(err)
		}
		defer session.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := session.CallTool(b.Context(), &mcp.CallToolParams{Name: "echo", Arguments: args}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
