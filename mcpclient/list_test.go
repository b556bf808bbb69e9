package mcpclient_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// scripted is a server that answers with the given bytes.
func scripted(call string, pages ...string) mcpclient.Server {
	s := self("rawlines")
	s.Env["CALL"], s.Env["LIST"] = call, strings.Join(pages, "\n")
	return s
}

func TestListTools(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf(`{"name":"t%02d"}`, i)
	}
	tests := []struct {
		name    string
		pages   []string
		want    string // names, or the reason after "!"
		dropped int
	}{
		{"none", []string{`{"tools":[]}`}, "", 0},
		{"null", []string{`{"tools":null}`}, "", 0},
		{"sorted, without schemas", []string{`{"tools":[{"name":"b"},{"name":"a","inputSchema":null}]}`}, "a b", 0},
		{"pages", []string{`{"tools":[{"name":"c"}],"nextCursor":"2"}`, `{"tools":[],"nextCursor":"3"}`, `{"tools":[{"name":"a"}],"nextCursor":""}`}, "a c", 0},
		{"cursor loop", []string{`{"tools":[{"name":"c"}],"nextCursor":"same"}`}, `!repeats the cursor "same"`, 0},
		{"bad ones", []string{`{"tools":[null,{"name":"a"},{"name":"a"},{"name":""},{"title":"x"},{"name":7},{"name":"b","annotations":"odd","icons":3}]}`}, "a b", 5},
		{"too many", []string{`{"tools":[` + strings.Join(many, ",") + `]}`}, "!more than 20 tools", 0},
		{"error", []string{`!{"code":-32603,"message":"fetch failed"}`}, "!error -32603: fetch failed", 0},
		{"malformed", []string{`{"tools":7}`}, "!tool list: ", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			log, logged := logger()
			c := connect(t, &mcpclient.Options{MaxTools: 20, Logger: log}, scripted("{}", tt.pages...))
			if reason, ok := strings.CutPrefix(tt.want, "!"); ok {
				wantText(t, failure(t, c), "listing the tools: ", reason)
				return
			}
			if s := c.Status()[0]; s.State != mcpclient.StateReady {
				t.Fatalf("status %+v", s)
			}
			var names []string
			for _, tool := range c.Tools("rawlines") {
				names = append(names, tool.Name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if tt.dropped > 0 {
				wantText(t, logged.String(), fmt.Sprintf("dropped=%d", tt.dropped))
			}
		})
	}
}

func TestEndlessPages(t *testing.T) {
	leaktest.Check(t)
	pages := make([]string, 1001)
	for i := range pages {
		pages[i] = fmt.Sprintf(`{"tools":[],"nextCursor":"%d"}`, i)
	}
	wantText(t, failure(t, connect(t, nil, scripted("{}", pages...))), "more than 1000 pages")
}

func TestNoToolsCapability(t *testing.T) {
	leaktest.Check(t)
	s := scripted("{}", `!{"code":-32601,"message":"no tools here"}`)
	s.Env["HELLO"] = `{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"old","version":"0"}}`
	c := ready(t, s)
	if st := c.Status()[0]; st.Tools != 0 || st.ProtocolVersion != "2024-11-05" {
		t.Errorf("status %+v", st)
	}
}

func TestHandshakeRefused(t *testing.T) {
	leaktest.Check(t)
	for hello, want := range map[string]string{
		`!{"code":-32000,"message":"license expired"}`:                                             "license expired",
		`{"protocolVersion":"1999-01-01","capabilities":{},"serverInfo":{"name":"","version":""}}`: "unsupported protocol version",
	} {
		s := scripted("{}", "")
		s.Env["HELLO"] = hello
		wantText(t, failure(t, connect(t, nil, s)), want)
	}
}

// A server that only speaks the revision without initialize.
func TestNewerProtocol(t *testing.T) {
	leaktest.Check(t)
	s := scripted(`{"content":[],"structuredContent":9007199254740993,"resultType":"complete"}`, `{"tools":[{"name":"a"}],"resultType":"complete"}`)
	s.Env["HELLO"] = `!{"code":-32601,"message":"what is initialize?"}`
	s.Env["DISCOVER"] = `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"resultType":"complete"}`
	c := ready(t, s)
	if st := c.Status()[0]; st.ProtocolVersion != "2026-07-28" || st.Tools != 1 {
		t.Errorf("status %+v", st)
	}
	if r := call(t, c, "rawlines", "a", ""); string(r.Structured) != "9007199254740993" {
		t.Errorf("got %s", r.Structured)
	}
}

func TestAnnotations(t *testing.T) {
	leaktest.Check(t)
	yes, no := true, false
	c := ready(t, scripted("{}", `{"tools":[`+
		`{"name":"a","annotations":{"title":"A","readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":true,"more":1}},`+
		`{"name":"b"},{"name":"c","annotations":{"readOnlyHint":true,"destructiveHint":"no"}}]}`))
	want := []mcpclient.Annotations{
		{Title: "A", ReadOnlyHint: true, DestructiveHint: &no, IdempotentHint: true, OpenWorldHint: &yes},
		{},
		{}, // what is half understood is not believed
	}
	for i, tool := range c.Tools("rawlines") {
		if diff := cmp.Diff(want[i], tool.Annotations); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tool.Name, diff)
		}
	}
}

func TestTitleOfAnnotations(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, scripted("{}", `{"tools":[{"name":"a","annotations":{"title":"The A"}},{"name":"b","title":"B","annotations":{"title":"x"}}]}`))
	tools := c.Tools("rawlines")
	if tools[0].Title != "The A" || tools[1].Title != "B" || tools[0].Server != "rawlines" {
		t.Errorf("tools %+v", tools)
	}
}

// Results go through as the server wrote them.
func TestResults(t *testing.T) {
	leaktest.Check(t)
	size := int64(3)
	tests := []struct {
		wire string
		want mcpclient.Result
		err  string
	}{
		{`{}`, mcpclient.Result{}, ""},
		{`{"content":null,"structuredContent":null}`, mcpclient.Result{}, ""},
		{`{"content":[],"structuredContent":[1,2]}`, mcpclient.Result{Structured: json.RawMessage(`[1,2]`)}, ""},
		{`{"content":[],"structuredContent":{"z":9007199254740993,"a":1.0}}`,
			mcpclient.Result{Structured: json.RawMessage(`{"z":9007199254740993,"a":1.0}`)}, ""},
		{`{"content":[{"type":"text","text":""}],"isError":true}`,
			mcpclient.Result{IsError: true, Content: []mcpclient.Content{{Type: "text"}}}, ""},
		{`{"content":[{"type":"image","data":"AQID","mimeType":"image/png","annotations":{"priority":1}}]}`,
			mcpclient.Result{Content: []mcpclient.Content{{Type: "image", Data: []byte{1, 2, 3}, MIMEType: "image/png", Annotations: json.RawMessage(`{"priority":1}`)}}}, ""},
		{`{"content":[{"type":"audio","data":"","mimeType":"audio/wav"}]}`,
			mcpclient.Result{Content: []mcpclient.Content{{Type: "audio", Data: []byte{}, MIMEType: "audio/wav"}}}, ""},
		{`{"content":[{"type":"resource","resource":{"uri":"a:b","mimeType":"text/plain","text":"hi"},"_meta":{"k":1}}]}`,
			mcpclient.Result{Content: []mcpclient.Content{{Type: "resource", URI: "a:b", MIMEType: "text/plain", Text: "hi", Meta: json.RawMessage(`{"k":1}`)}}}, ""},
		{`{"content":[{"type":"resource","resource":{"uri":"a:b","blob":"AP8="}}]}`,
			mcpclient.Result{Content: []mcpclient.Content{{Type: "resource", URI: "a:b", Data: []byte{0, 255}}}}, ""},
		{`{"content":[{"type":"resource_link","uri":"a:c","name":"c","title":"C","description":"d","mimeType":"m","size":3}]}`,
			mcpclient.Result{Content: []mcpclient.Content{{Type: "resource_link", URI: "a:c", Name: "c", Title: "C", Description: "d", MIMEType: "m", Size: &size}}}, ""},
		{`{"content":[{"type":"hologram","voxels":[1]}]}`,
			mcpclient.Result{Content: []mcpclient.Content{{Type: "hologram", Raw: json.RawMessage(`{"type":"hologram","voxels":[1]}`)}}}, ""},
		{`{"content":[{"type":"image","data":"%%%"}]}`, mcpclient.Result{}, "block 0 of the result"},
		{`{"content":"text"}`, mcpclient.Result{}, "result of the tool"},
		{`{"resultType":"input_required","inputRequests":{}}`, mcpclient.Result{}, "asks for input"},
	}
	for _, tt := range tests {
		t.Run("", func(t *testing.T) {
			c := ready(t, scripted(tt.wire, `{"tools":[{"name":"t"}]}`))
			got, err := c.Call(testContext(t), "rawlines", "t", nil, nil)
			if tt.err != "" {
				if err == nil {
					t.Fatalf("got %+v, want an error", got)
				}
				wantText(t, err.Error(), tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Content) == 0 {
				got.Content = nil
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.wire, diff)
			}
			// Each block marshals to what it was.
			for _, block := range got.Content {
				data, err := json.Marshal(block)
				if err != nil {
					t.Fatal(err)
				}
				if !sameJSON(t, `{"content":[`+string(data)+`]`+tail(tt.wire), tt.wire) {
					t.Errorf("%s became %s", tt.wire, data)
				}
			}
		})
	}
}

// tail returns what follows the content of a result.
func tail(wire string) string { return wire[strings.LastIndex(wire, "]")+1:] }

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%v in %s", err, a)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(x, y)
}
