package mcpclient_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

func init() { personalities["hollow"] = hollow }

// hollow sends every request and notification that there is without its parameters, and
// with some that are of the wrong kind.
func hollow() {
	methods := []string{
		"ping", "roots/list", "sampling/createMessage", "elicitation/create", "notifications/cancelled", "notifications/progress",
		"notifications/message", "notifications/resources/updated", "notifications/resources/list_changed",
		"notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/elicitation/complete",
		"notifications/subscriptions/acknowledged", "no/such/method",
	}
	script(func(l line) string {
		switch l.Method {
		case "initialize":
			return hello
		case "tools/list":
			return `{"tools":[{"name":"only"}]}`
		case "tools/call":
			for i, method := range methods {
				id := ""
				if method[:4] != "noti" {
					id = fmt.Sprintf(`"id":%d,`, 1000+i)
				}
				for _, params := range []string{
					"", `,"params":null`, `,"params":{}`, `,"params":[]`, `,"params":"x"`, `,"params":{"messages":[null]}`,
					`,"params":{"messages":[{"role":"user"}]}`, `,"params":{"messages":[{"role":"user","content":null}]}`,
					`,"params":{"messages":[{"role":"user","content":[]}]}`, `,"params":{"messages":[{"role":"user","content":[null]}]}`,
					`,"params":{"requestedSchema":null}`, `,"params":{"requestedSchema":{"properties":{"a":null}}}`,
					`,"params":{"requestedSchema":{"type":"object","properties":{"a":{"type":"array","items":null}}}}`, `,"params":{"_meta":null}`,
				} {
					fmt.Printf(`{"jsonrpc":"2.0",%s"method":%q%s}`+"\n", id, method, params)
				}
			}
			return `{"content":[]}`
		}
		return `!{"code":-32601,"message":"unknown"}`
	})
}

// A server that leaves out what the protocol wants does not end the host.
func TestHollowRequests(t *testing.T) {
	leaktest.Check(t)
	c := connect(t, &mcpclient.Options{Host: mcpclient.Host{
		Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) { return nil, nil },
		Sample: func(context.Context, *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) { return nil, nil },
		OnLog:  func(mcpclient.LogMessage) {}, OnResourceUpdated: func(string, string) {},
	}}, self("hollow"))
	for range 3 {
		if _, err := c.Call(testContext(t), "hollow", "only", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Nor does one whose answers have holes.
func TestHollowAnswers(t *testing.T) {
	for _, answer := range []string{
		`null`, `{}`, `{"content":null}`, `{"content":[null]}`, `{"content":[{}]}`, `{"content":[{"type":"resource","resource":null}]}`,
		`{"resultType":"input_required"}`, `{"resultType":"input_required","inputRequests":null}`, `{"resultType":"input_required","inputRequests":{}}`,
		`{"resultType":"input_required","inputRequests":{"q":null}}`, `{"resultType":"input_required","inputRequests":{"q":{}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create"}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":null}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"sampling/createMessage","params":null}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"sampling/createMessage","params":{"messages":[null]}}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[null]}]}}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[]}]}}}}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"roots/list","params":null}}}`,
	} {
		t.Run(answer, func(t *testing.T) {
			leaktest.Check(t)
			s := self("rawlines")
			s.Env["LIST"] = `{"tools":[{"name":"only"},null]}`
			s.Env["CALL"] = answer
			c := connect(t, &mcpclient.Options{Host: mcpclient.Host{
				Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) { return nil, nil },
				Sample: func(context.Context, *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) { return nil, nil },
			}}, s)
			if _, err := c.Call(testContext(t), "rawlines", "only", nil, &mcpclient.CallOptions{Timeout: 3 * time.Second}); err != nil {
				t.Log(err)
			}
			if state := c.Status()[0].State; state != mcpclient.StateReady {
				t.Errorf("the server is %s", state)
			}
		})
	}
}

// piped is a transport to a server that answers by hand, in this process.
func piped(t testing.TB, answer func(line) string, unasked ...string) mcp.Transport {
	fromClient, clientWrites := io.Pipe()
	clientReads, toClient := io.Pipe()
	go func() {
		in := bufio.NewScanner(fromClient)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var l line
			if json.Unmarshal(in.Bytes(), &l) != nil || l.ID == nil || l.Method == "" {
				continue
			}
			if l.Method == "tools/call" {
				for _, message := range unasked {
					fmt.Fprintf(toClient, "%s\n", message)
				}
			}
			fmt.Fprintf(toClient, `{"jsonrpc":"2.0","id":%s,%s}`+"\n", l.ID, answer(l))
		}
		_ = toClient.Close()
	}()
	t.Cleanup(func() { _ = fromClient.Close() })
	return &mcp.IOTransport{Reader: clientReads, Writer: clientWrites}
}

// Whatever a server answers, lists, asks or tells, the host goes on.
func FuzzServerWords(f *testing.F) {
	for _, seed := range []string{
		`{"content":[{"type":"text","text":"x"}]}`, `{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"?"}}},"requestState":"s"}`,
		`{"resultType":"input_required","inputRequests":{"q":{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"x"}}],"modelPreferences":{"hints":[{}]}}}}}`,
		`{"message":"?","mode":"form","requestedSchema":{"type":"object","properties":{"a":{"type":"string","enum":["x"],"default":"x"},"b":{"type":"array","items":{"anyOf":[{"const":"x","title":"X"}]}}}}}`,
		`{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{}]}]}],"tools":[null],"maxTokens":1}`,
		`{"level":"error","data":{"a":[null]}}`, `{"resources":[{"uri":"a"}],"prompts":[{"name":"a","arguments":[null]}],"contents":[{"uri":"a","blob":"AA=="}],"messages":[{"role":"user","content":{"type":"image"}}],"nextCursor":""}`,
		`{"uri":"a","elicitationId":"1","progressToken":1,"progress":1}`, `{"completion":{"values":["a"]}}`, `null`, `[]`, `"x"`, `1e999`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		if !json.Valid(words) || bytes.ContainsAny(words, "\r\n") {
			return
		}
		var unasked []string
		for i, method := range []string{"elicitation/create", "sampling/createMessage", "roots/list"} {
			unasked = append(unasked, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, 1000+i, method, words))
		}
		for _, method := range []string{"message", "progress", "resources/updated", "elicitation/complete", "tools/list_changed", "cancelled"} {
			unasked = append(unasked, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%s","params":%s}`, method, words))
		}
		transport := piped(t, func(l line) string {
			switch l.Method {
			case "initialize":
				return `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{},"completions":{}},"serverInfo":{"name":"x","version":"0"}}`
			case "server/discover":
				return `"error":{"code":-32601,"message":"no"}`
			case "tools/list":
				return `"result":{"tools":[{"name":"only"}]}`
			}
			return `"result":` + string(words)
		}, unasked...)
		c, err := mcpclient.Connect(t.Context(), []mcpclient.Server{{Name: "x", Transport: transport}}, &mcpclient.Options{
			CallTimeout: 5 * time.Second, RelistInterval: -1, HealthInterval: -1,
			Host: mcpclient.Host{
				Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
					return &mcpclient.ElicitationAnswer{Action: mcpclient.ElicitAccept}, nil
				},
				Sample: func(context.Context, *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) {
					return &mcpclient.SamplingAnswer{Content: mcpclient.Content{Type: "text"}}, nil
				},
				OnLog: func(mcpclient.LogMessage) {}, OnResourceUpdated: func(string, string) {},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx := t.Context()
		_, _ = c.Call(ctx, "x", "only", nil, nil)
		_, _ = c.Resources(ctx, "x", nil)
		_, _ = c.ReadResource(ctx, "x", "a", nil)
		_, _ = c.Prompts(ctx, "x", nil)
		_, _ = c.Prompt(ctx, "x", "a", nil, nil)
		_, _ = c.Complete(ctx, "x", mcpclient.CompletionRequest{Prompt: "a"}, nil)
	})
}
