package mcpclient

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"a\x1b[31mred\x1b[0m b", "ared b"},
		{"bell\a nul\x00 del\x7f", "bell nul del"},
		{"line\n\ttab\r\n", "line\n\ttab"},
		{"bad \xff utf8", "bad  utf8"},
		{"turned \u202e around", "turned  around"},
		{strings.Repeat("é", 30), strings.Repeat("é", 10) + "…"},
	}
	for _, tt := range tests {
		if got := clean(tt.in, 20); got != tt.want {
			t.Errorf("clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestReadableHidesQuery(t *testing.T) {
	cause := errors.New("reset")
	err := (*secrets)(nil).readable(&url.Error{Op: "Post", URL: "http://h/messages?session=abc", Err: cause})
	if got, want := err.Error(), `Post "http://h/messages": reset`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var ue *url.Error
	if !errors.Is(err, cause) || errors.As(err, &ue) {
		t.Error("the cause must be found, the text below not")
	}
}

func TestEventTap(t *testing.T) {
	const stream = ": hi\nid: 1\ndata:\n\nevent: message\ndata: {\"method\":\"ping\",\"id\":1}\n\n" +
		"data: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":1,\"result\":{\"n\":1.0}}\r\n\r\n"
	for size := 1; size <= len(stream); size++ {
		ex := &exchange{}
		tap := &eventTap{ex: ex}
		for rest := stream; rest != ""; {
			n := min(size, len(rest))
			tap.feed([]byte(rest[:n]))
			rest = rest[n:]
		}
		if _, raw, _ := ex.state(); string(raw) != `{"n":1.0}` {
			t.Errorf("in pieces of %d: got %s", size, raw)
		}
	}
}

// However the end of stderr is cut, nothing of a secret is left at its beginning.
func TestRingHidesSecrets(t *testing.T) {
	const secret = "0123456789abcdef"
	for filler := range 2 * len(secret) {
		r := &ring{secrets: &secrets{configured: []string{secret, "short"}}}
		for range 500 {
			_, _ = r.Write([]byte("key " + secret[:7]))
			_, _ = r.Write([]byte(secret[7:]))
		}
		_, _ = r.Write([]byte(strings.Repeat(".", filler)))
		got := r.String()
		if strings.Contains(got, secret[len(secret)-minSecret:]) || !strings.Contains(got, "key [redacted]key [redacted]") {
			t.Fatalf("got %s", got)
		}
	}
}

func TestLineLogger(t *testing.T) {
	var out strings.Builder
	l := &lineLogger{logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	const in = "one\n\n\x1b[31mtwo\x1b[0m\nlong "
	for _, part := range []string{in[:2], in[2:], strings.Repeat("x", 5000), "\nrest without end"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "stderr=one") || !strings.HasSuffix(lines[1], "stderr=two") || len(lines[2]) > 1200 || !strings.Contains(lines[2], "long xxx") {
		t.Errorf("logged %q", lines)
	}
}

func TestContentOfAnyKind(t *testing.T) {
	tests := []struct{ in, want string }{ // as it is marshaled; none for an error
		{`{"text":"a","type":"text"}`, `{"type":"text","text":"a"}`},
		{`{"text":5,"type":"text"}`, ""},
		{`{"type":"image","data":"?"}`, ""},
		{`{"text":5,"data":{"a":[1.0]},"type":"chart"}`, `{"text":5,"data":{"a":[1.0]},"type":"chart"}`},
		{`{"text":5}`, `{"text":5}`},
		{`{"type":5}`, ""},
		{`null`, `null`},
		{`"text"`, ""},
		{`{`, ""},
	}
	for _, tt := range tests {
		var c Content
		err := c.UnmarshalJSON([]byte(tt.in))
		got, _ := c.MarshalJSON()
		if err != nil {
			got = nil
		}
		if string(got) != tt.want {
			t.Errorf("%s: got %s, error %v", tt.in, got, err)
		}
	}
}
