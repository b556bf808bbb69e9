package mcpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// maxErrorBody bounds what is read of the body of a failed request.
const maxErrorBody = 64 << 10

// sessionHeader carries the session of streamable HTTP.
const sessionHeader = "Mcp-Session-Id"

// roundTripper is the HTTP side of one connection. It adds what the
// configuration says, turns refusals into errors that say what to do, bounds
// what the SDK reads without a bound, reports exchanges, and ends all requests
// when life ends.
type roundTripper struct {
	base http.RoundTripper
	life context.Context

	endpoint *url.URL    // as configured; nil for a transport of the user
	header   http.Header // as configured
	auth     *authorizer // nil without tokens
	secrets  *secrets
	unasked  bool        // this is streamable HTTP, with a standalone stream
	mute     func()      // there is no such stream
	opened   func()      // that stream begins, so what came before was missed
	lost     func(error) // that stream has found out that the server or its session is gone
	oauth    bool        // 401 and 403 are handled by the SDK
}

// newHTTPClient returns a client for one link. Its requests end with the link's life.
func newHTTPClient(l *link, s *Server, endpoint *url.URL) (*http.Client, error) {
	base := newBaseTransport()
	if s.TLS != nil {
		config, err := s.TLS.config()
		if err != nil {
			return nil, err
		}
		base.TLSClientConfig = config
	}
	base.MaxIdleConnsPerHost = 16 // calls run concurrently
	base.IdleConnTimeout = 90 * time.Second
	return &http.Client{Transport: &roundTripper{
		base: base, life: l.life, endpoint: endpoint, header: s.Header, auth: l.of.auth, secrets: l.of.secrets,
		unasked: s.Type == TypeHTTP, mute: func() { l.mute.Store(true) }, opened: l.listens, lost: l.finish,
	}}, nil
}

// CloseIdleConnections lets go of connections that wait for a next request.
func (rt *roundTripper) CloseIdleConnections() {
	if c, ok := rt.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if rt.isStandalone(req) {
		return rt.listen(req), nil
	}
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(rt.life, cancel)
	release := func() { stop(); cancel() }

	ex := exchangeFrom(ctx)
	if ex != nil {
		ex.begin()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: ex.markSent})
	}
	out := req.Clone(ctx)
	rt.decorate(out)
	resp, err := rt.authorized(req, out)
	if err != nil {
		release()
		return nil, err
	}
	if resp.StatusCode >= 400 && !rt.passes(req, resp.StatusCode) {
		defer release()
		return rt.refused(req, resp, ex)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if req.Method == http.MethodPost && kind == "application/json" {
		// The SDK breaks the whole connection when the body of an answer cannot
		// be read, for example because the call was cancelled in between. An
		// error from here fails the one call.
		defer release()
		defer resp.Body.Close()
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage+1))
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		if len(data) > maxMessage {
			return nil, fmt.Errorf("the answer is larger than %d bytes", maxMessage)
		}
		answered(ex, data)
		resp.Body = io.NopCloser(bytes.NewReader(data))
		return resp, nil
	}
	b := &body{ReadCloser: resp.Body, release: release}
	if kind == "text/event-stream" && ex != nil {
		b.events = &eventTap{ex: ex}
	}
	resp.Body = b
	return resp, nil
}

// send sends a request. One that is refused was not carried out, also if it is not told
// of it before its time is over: a renewal of the token may take longer.
func (rt *roundTripper) send(req *http.Request) (*http.Response, error) {
	resp, err := rt.base.RoundTrip(req)
	if ex := exchangeFrom(req.Context()); ex != nil && err == nil && req.Method == http.MethodPost && resp.StatusCode >= 400 && resp.StatusCode < 500 {
		ex.refused()
	}
	return resp, err
}

// ours reports whether a request is for the configured host: a redirect, or the
// endpoint event of an SSE server, may lead elsewhere.
func (rt *roundTripper) ours(u *url.URL) bool {
	return rt.endpoint != nil && u.Scheme == rt.endpoint.Scheme && u.Host == rt.endpoint.Host
}

// decorate adds the configured headers, user and query, to requests for the
// configured host only.
func (rt *roundTripper) decorate(req *http.Request) {
	if !rt.ours(req.URL) {
		return
	}
	if req.URL.RawQuery == "" && req.URL.Path == rt.endpoint.Path {
		req.URL.RawQuery = rt.endpoint.RawQuery
	}
	if user := rt.endpoint.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	for name, values := range rt.header {
		if http.CanonicalHeaderKey(name) == "Host" && len(values) > 0 {
			req.Host = values[0]
			continue
		}
		req.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
}

// passes reports whether the SDK itself knows what to do about a status.
func (rt *roundTripper) passes(req *http.Request, status int) bool {
	switch {
	case req.Method == http.MethodDelete:
		return true // the end of a session is best effort
	case status == http.StatusMethodNotAllowed && req.Method == http.MethodGet:
		return true // no stream here
	case status == http.StatusNotFound && req.Header.Get(sessionHeader) != "":
		// MCP, "Session Management": the server "MUST respond to requests
		// containing that session ID with HTTP 404 Not Found".
		return true
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return rt.oauth
	}
	return false
}

// refused turns a response into an error, unless its body is a JSON-RPC error,
// which the SDK understands.
func (rt *roundTripper) refused(req *http.Request, resp *http.Response, ex *exchange) (*http.Response, error) {
	defer resp.Body.Close()
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came is good enough
	if msg, err := jsonrpc.DecodeMessage(data); err == nil {
		if r, ok := msg.(*jsonrpc.Response); ok && r.Error != nil &&
			resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
			if ex != nil {
				ex.answer(nil, r.Error)
			}
			resp.Body = io.NopCloser(bytes.NewReader(data))
			return resp, nil
		}
	}
	return nil, &statusError{
		code:  resp.StatusCode,
		text:  rt.excerpt(resp.Header.Get("Content-Type"), data),
		after: clean(resp.Header.Get("Retry-After"), 40),
		oauth: strings.Contains(resp.Header.Get("WWW-Authenticate"), "resource_metadata"),
	}
}

// excerpt returns the start of an error body, without markup pages and without
// the secrets of the request, which some servers echo.
func (rt *roundTripper) excerpt(contentType string, data []byte) string {
	if strings.Contains(contentType, "html") {
		return ""
	}
	return clean(rt.secrets.hide(string(data)), 300)
}

// statusError is a request that the server refused by its HTTP status.
type statusError struct {
	code  int
	text  string // start of the body, may be empty
	after string // Retry-After, may be empty
	oauth bool   // the server says where to log in
	cause error  // why there was no other token to try with; nil if that is not it
}

// Unwrap returns the cause.
func (e *statusError) Unwrap() error { return e.cause }

// Error implements error.
func (e *statusError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("the server asks for credentials (HTTP status %d): %v", e.code, e.cause)
	}
	msg := fmt.Sprintf("server answered with HTTP status %d %s", e.code, http.StatusText(e.code))
	if e.text != "" {
		msg += " (" + e.text + ")"
	}
	switch {
	case e.code == http.StatusUnauthorized:
		msg += "; credentials are missing, wrong or expired: check Server.Header, Server.Bearer or Server.OAuth"
		if e.oauth {
			msg += "; the server points to a login by OAuth"
		}
	case e.code == http.StatusForbidden:
		msg += "; the credentials do not allow this"
	case e.code == http.StatusNotFound, e.code == http.StatusMethodNotAllowed:
		msg += "; check the path of Server.URL, and whether the server needs Type sse"
	case e.code == http.StatusTooManyRequests && e.after != "":
		msg += "; it asks to retry after " + e.after
	}
	return msg
}

// answered reports the message in data to ex, if it is an answer.
func answered(ex *exchange, data []byte) {
	if ex == nil {
		return
	}
	var msg struct {
		Method string          `json:"method"`
		Result json.RawMessage `json:"result"`
		Error  *jsonrpc.Error  `json:"error"`
	}
	if json.Unmarshal(data, &msg) != nil || msg.Method != "" {
		return
	}
	if msg.Error != nil {
		ex.answer(nil, msg.Error)
	} else if msg.Result != nil {
		ex.answer(msg.Result, nil)
	}
}

// body is a response body that frees its request when closed and shows an event
// stream to an exchange.
type body struct {
	io.ReadCloser
	release func()
	events  *eventTap
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.events != nil {
		b.events.feed(p[:n])
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// eventTap finds the answer in an event stream that belongs to one request. The
// stream may also carry notifications and requests of the server.
type eventTap struct {
	ex   *exchange
	line []byte
	data []byte
}

func (t *eventTap) feed(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			if len(t.line) <= maxMessage { // else the SDK gives up as well
				t.line = append(t.line, p...)
			}
			return
		}
		line := p[:i]
		if len(t.line) > 0 {
			line = append(t.line, line...)
			t.line = line[:0]
		}
		p = p[i+1:]
		t.take(bytes.TrimSuffix(line, []byte("\r")))
	}
}

// take handles one line: "data:" lines make up an event, an empty line ends it.
func (t *eventTap) take(line []byte) {
	if len(line) == 0 {
		if len(t.data) > 0 {
			answered(t.ex, t.data)
		}
		t.data = t.data[:0]
		return
	}
	value, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok || len(t.data)+len(value) > maxMessage {
		return
	}
	if len(t.data) > 0 {
		t.data = append(t.data, '\n')
	}
	t.data = append(t.data, bytes.TrimPrefix(value, []byte(" "))...)
}
