package mcpclient_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// personality names the variable that turns the test binary into a server.
const personality = "MCPCLIENT_TEST_SERVER"

func TestMain(m *testing.M) {
	if name := os.Getenv(personality); name != "" {
		run, ok := personalities[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "no such personality: %s\n", name)
			os.Exit(2)
		}
		run()
		return
	}
	os.Exit(m.Run())
}

// self returns a stdio server that is this test binary with a personality.
func self(name string) mcpclient.Server {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return mcpclient.Server{Name: name, Command: exe, Env: map[string]string{
		personality: name,
		"GORACE":    "atexit_sleep_ms=0", // a race build else takes a second to exit
	}}
}

var personalities = map[string]func(){
	"good":     func() { serve(goodServer()) },
	"exits":    func() { fmt.Fprintln(os.Stderr, "\x1b[31mFATAL\x1b[0m: API_KEY is not set"); os.Exit(3) },
	"silent":   func() { _, _ = io.Copy(io.Discard, os.Stdin) },
	"stubborn": stubborn,
	"noisy": func() {
		fmt.Println("Welcome to the noisy server!\n\n   v1.2")
		serve(goodServer())
	},
	"garbage": func() { fmt.Println("{this is not JSON"); _, _ = io.Copy(io.Discard, os.Stdin) },
	"closes": func() {
		os.Stdout.Close()
		time.Sleep(time.Hour)
	},
	"grandchild": func() {
		cmd := exec.Command("sleep", "1000")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // holds the pipes
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		s := mcp.NewServer(&mcp.Implementation{Name: "grandchild", Version: "1"}, nil)
		text(s, "pid", func() string { return fmt.Sprint(cmd.Process.Pid) })
		serve(s)
	},
	"rawlines":  rawLines,
	"bigresult": bigResult,
	"strict":    strict,
	"deaf":      deaf,
}

func serve(s *mcp.Server) {
	if err := s.Run(context.Background(), &mcp.StdioTransport{MaxLineLength: -1}); err != nil && err != io.EOF {
		fmt.Fprintln(os.Stderr, err)
	}
}

// text adds a tool without arguments that returns a text.
func text(s *mcp.Server, name string, f func() string) {
	s.AddTool(&mcp.Tool{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: f()}}}, nil
		})
}

func goodServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "good-server", Title: "The Good", Version: "1.2.3"},
		&mcp.ServerOptions{Instructions: "be nice"})
	s.AddTool(&mcp.Tool{
		Name: "echo", Title: "Echo", Description: "returns its arguments",
		InputSchema:  json.RawMessage(`{"type":"object","properties":{"zebra":{"type":"integer"},"apple":{"type":"string"}}}`),
		OutputSchema: json.RawMessage(`{"type":"object"}`),
	}, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{
			StructuredContent: req.Params.Arguments,
			Content:           []mcp.Content{&mcp.TextContent{Text: string(req.Params.Arguments)}},
		}, nil
	})
	text(s, "env", func() string {
		env := os.Environ()
		slices.Sort(env)
		return strings.Join(env, "\n")
	})
	s.AddTool(&mcp.Tool{Name: "fail", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "no such file"}}}, nil
		})
	s.AddTool(&mcp.Tool{Name: "refuse", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return nil, fmt.Errorf("bad \x1b[1mmood")
		})
	s.AddTool(&mcp.Tool{Name: "die", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			fmt.Fprintln(os.Stderr, "panic: out of luck")
			os.Exit(7)
			return nil, nil
		})
	s.AddTool(&mcp.Tool{Name: "slow", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			var args struct {
				Log string `json:"log"`
			}
			_ = json.Unmarshal(req.Params.Arguments, &args)
			if args.Log != "" {
				_ = os.WriteFile(args.Log, []byte("started"), 0o600)
			}
			select {
			case <-ctx.Done(): // by notifications/cancelled
			case <-time.After(3 * time.Second):
				// A client that closes may be gone before it can tell, and the SDK's
				// HTTP server waits for its handlers.
				return nil, fmt.Errorf("nobody cancelled")
			}
			if args.Log != "" {
				_ = os.WriteFile(args.Log, []byte("cancelled"), 0o600)
			}
			return nil, ctx.Err()
		})
	s.AddTool(&mcp.Tool{Name: "rich", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			size := int64(12)
			return &mcp.CallToolResult{
				StructuredContent: json.RawMessage(`{"id":9007199254740993,"price":1.10,"z":1,"a":2}`),
				Content: []mcp.Content{
					&mcp.TextContent{Text: ""},
					&mcp.ImageContent{MIMEType: "image/png", Data: []byte{1, 2, 3}},
					&mcp.AudioContent{MIMEType: "audio/wav", Data: []byte{4}},
					&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///a", MIMEType: "text/plain", Text: "hello"}},
					&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///b", Blob: []byte{0, 255}}},
					&mcp.ResourceLink{URI: "file:///c", Name: "c", Title: "C", Description: "the c", MIMEType: "text/c", Size: &size,
						Annotations: &mcp.Annotations{Priority: 0.5}},
				},
			}, nil
		})
	return s
}

// stubborn ignores SIGTERM and the end of its input.
func stubborn() {
	signal.Ignore(syscall.SIGTERM)
	go serve(goodServer())
	time.Sleep(time.Hour)
}

// line is one JSON-RPC message as the hand-written servers see it.
type line struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// script serves stdio by hand: answer returns the result for a request, or an
// error object when it starts with "!", or "" for no answer.
func script(answer func(line) string) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		var l line
		if json.Unmarshal(in.Bytes(), &l) != nil || l.ID == nil {
			continue
		}
		switch res := answer(l); {
		case res == "":
		case res[0] == '!':
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":%s}`+"\n", l.ID, res[1:])
		default:
			fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", l.ID, res)
		}
		_ = out.Flush()
	}
}

const hello = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"script","version":"0"}}`

// rawLines answers tools/list and tools/call with the JSON given in the
// environment, so that a test decides about every byte. LIST holds the pages,
// one a line.
func rawLines() {
	pages := strings.Split(os.Getenv("LIST"), "\n")
	script(func(l line) string {
		switch l.Method {
		case "initialize":
			if h := os.Getenv("HELLO"); h != "" {
				return h
			}
			return hello
		case "server/discover":
			if d := os.Getenv("DISCOVER"); d != "" {
				return d
			}
		case "tools/list":
			page := pages[0]
			if len(pages) > 1 {
				pages = pages[1:]
			}
			return page
		case "tools/call":
			return os.Getenv("CALL")
		}
		return `!{"code":-32601,"message":"unknown method"}`
	})
}

// bigResult answers calls with 20 MB.
func bigResult() {
	big := `{"content":[{"type":"text","text":"` + strings.Repeat("x", 20<<20) + `"}]}`
	script(func(l line) string {
		switch l.Method {
		case "initialize":
			return hello
		case "tools/list":
			return `{"tools":[{"name":"big"}]}`
		}
		return big
	})
}

// strict ends when anything but initialize comes first, like servers on rmcp.
func strict() {
	first := true
	script(func(l line) string {
		if first && l.Method != "initialize" {
			fmt.Fprintln(os.Stderr, "expected initialize")
			os.Exit(1)
		}
		first = false
		if l.Method == "initialize" {
			return hello
		}
		return `{"tools":[{"name":"only"}]}`
	})
}

// deaf stops reading after the handshake.
func deaf() {
	script(func(l line) string {
		switch l.Method {
		case "initialize":
			return hello
		case "tools/list":
			fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"only"}]}}`+"\n", l.ID)
			time.Sleep(time.Hour)
		}
		return ""
	})
}

// logger returns a logger and what was logged so far.
func logger() (*slog.Logger, *syncBuffer) {
	b := &syncBuffer{}
	return slog.New(slog.NewTextHandler(b, nil)), b
}
