package mcpclient_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

func init() { personalities["hostile"] = hostile }

// hostile sends the message in SAYS, and then the result in CALL, when its tool is called.
// It speaks the protocol in ERA.
func hostile() {
	script(func(l line) string {
		modern := os.Getenv("ERA") == "modern"
		switch {
		case l.Method == "initialize" && !modern:
			return hello
		case l.Method == "server/discover" && modern:
			return `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"prompts":{}},"ttlMs":0,"cacheScope":"private"}`
		case l.Method == "tools/list":
			return `{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"only"},null]}`
		case l.Method == "tools/call":
			if says := os.Getenv("SAYS"); says != "" {
				fmt.Println(says)
			}
			if strings.Contains(string(l.Params), "inputResponses") || os.Getenv("CALL") == "" {
				return `{"content":[]}`
			}
			return os.Getenv("CALL")
		}
		return `!{"code":-32601,"message":"unknown method"}`
	})
}

// Whatever a server says, the process lives, and so does the connection.
func TestMessagesThatPanic(t *testing.T) {
	says := func(method, params string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0",%s"method":%q%s}`, map[bool]string{true: `"id":77,`}[!strings.HasPrefix(method, "notifications/")], method, params)
	}
	asks := func(question string) string {
		return `{"resultType":"input_required","content":[],"inputRequests":{"a":` + question + `}}`
	}
	titled := `{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{"p":{"type":"string","oneOf":[null]}}}}`
	messages := map[string]struct{ says, call, want string }{
		"complete, no params":   {says: says("notifications/elicitation/complete", "")},
		"complete, null params": {says: says("notifications/elicitation/complete", `,"params":null`)},
		"updated":               {says: says("notifications/resources/updated", "")},
		"progress":              {says: says("notifications/progress", `,"params":{}`)},
		"cancelled":             {says: says("notifications/cancelled", `,"params":null`)},
		"elicit, no params":     {says: says("elicitation/create", "")},
		"elicit, null params":   {says: says("elicitation/create", `,"params":null`)},
		"elicit, null choice":   {says: says("elicitation/create", `,"params":`+titled)},
		"sample, null message":  {says: says("sampling/createMessage", `,"params":{"messages":[null]}`)},
		"sample, null content":  {says: says("sampling/createMessage", `,"params":{"messages":[{"role":"user","content":[null]}]}`)},
		"null question":         {call: asks("null"), want: "is malformed"},
		"unknown question":      {call: asks(`{"method":"x"}`), want: "unsupported"},
		"asks, no params":       {call: asks(`{"method":"elicitation/create","params":null}`)},
		"asks, null choice":     {call: asks(`{"method":"elicitation/create","params":` + titled + `}`), want: "is malformed"},
		"asks, null message":    {call: asks(`{"method":"sampling/createMessage","params":{"messages":[null]}}`), want: "parameters are missing"},
	}
	host := mcpclient.Host{
		Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
			return &mcpclient.ElicitationAnswer{Action: mcpclient.ElicitAccept}, nil
		},
		Sample: func(context.Context, *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) {
			return &mcpclient.SamplingAnswer{Model: "m", Content: mcpclient.Content{Type: "text", Text: "x"}}, nil
		},
	}
	for name, m := range messages {
		for _, era := range []string{"legacy", "modern"} {
			t.Run(name+", "+era, func(t *testing.T) {
				leaktest.Check(t)
				s := self("hostile")
				s.Env["SAYS"], s.Env["CALL"], s.Env["ERA"] = m.says, m.call, era
				c := connect(t, &mcpclient.Options{Host: host}, s)
				for range 2 { // also for what was left locked
					_, err := c.Call(testContext(t), "hostile", "only", nil, nil)
					if m.want == "" && err != nil {
						t.Error(err)
					} else if m.want != "" && (err == nil || !strings.Contains(err.Error(), m.want)) {
						t.Errorf("got %v, want %q", err, m.want)
					}
				}
				reaches(t, c, "hostile", mcpclient.StateReady)
			})
		}
	}
}

// A server that asks for nothing, or for ever, is given up.
func TestRoundsAreBounded(t *testing.T) {
	for call, want := range map[string]string{
		`{"resultType":"input_required","inputRequests":{}}`:                                        "put the request off 3 times",
		`{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list","params":{}}}}`: "asked for something 10 times over",
	} {
		leaktest.Check(t)
		s := self("rawlines")
		s.Env["LIST"], s.Env["CALL"] = `{"tools":[{"name":"only"}]}`, call
		c := connect(t, &mcpclient.Options{Host: mcpclient.Host{Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
			return nil, nil
		}}}, s)
		wantText(t, callError(t, testContext(t), c, "rawlines", "only", "").Error(), want)
	}
}
