//go:build unix

package mcpclient_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func init() {
	personalities["faulty"] = func() { serve(faultyServer()) }
	personalities["nolist"] = noList
	personalities["trickle"] = trickle
}

// faultyServer has a tool for each way in which a server can fail.
func faultyServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "faulty", Version: "1"}, nil)
	text(s, "pid", func() string { return fmt.Sprint(os.Getpid()) })
	fault(s, "kill", nil, func() string {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	})
	fault(s, "stop", nil, func() string {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(time.Hour) // the signal may take its time
		return ""
	})
	fault(s, "garble", nil, func() string {
		fmt.Println(`{"jsonrpc": broken`)
		return ""
	})
	fault(s, "noise", nil, func() string { // 50 MB that are no message
		w := bufio.NewWriter(os.Stdout)
		for range 50 << 10 {
			_, _ = w.WriteString(strings.Repeat("n", 1<<10))
		}
		_, _ = w.WriteString("\n")
		_ = w.Flush()
		return "noisy"
	})
	fault(s, "huge", nil, func() string { return strings.Repeat("x", 50<<20) })
	fault(s, "flood", nil, func() string { return strings.Repeat("x", 65<<20) })
	fault(s, "never", nil, func() string {
		time.Sleep(time.Hour)
		return ""
	})
	// Those that may be repeated crash only once, in a file's absence.
	for name, hints := range map[string]*mcp.ToolAnnotations{
		"read": {ReadOnlyHint: true}, "put": {IdempotentHint: true}, "append": nil,
	} {
		fault(s, name, hints, func() string {
			if mark := os.Getenv("CRASHED"); mark != "" {
				if _, err := os.Stat(mark); err != nil {
					_ = os.WriteFile(mark, nil, 0o600)
					_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				}
			}
			return "done"
		})
	}
	return s
}

func fault(s *mcp.Server, name string, hints *mcp.ToolAnnotations, f func() string) {
	s.AddTool(&mcp.Tool{Name: name, Annotations: hints, InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: f()}}}, nil
		})
}

// noList can be connected, and refuses to list its tools.
func noList() {
	script(func(l line) string {
		if l.Method == "initialize" {
			return hello
		}
		return `!{"code":-32603,"message":"fetch failed"}`
	})
}

// trickle answers calls byte by byte.
func trickle() {
	script(func(l line) string {
		switch l.Method {
		case "initialize":
			return hello
		case "tools/list":
			return `{"tools":[{"name":"slow"}]}`
		case "tools/call":
			for _, b := range []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"at last"}]}}`+"\n", l.ID)) {
				_, _ = os.Stdout.Write([]byte{b})
				time.Sleep(2 * time.Millisecond)
			}
			return ""
		}
		return `!{"code":-32601,"message":"unknown method"}`
	})
}
