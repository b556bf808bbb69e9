package mcpclient

//lint:file-ignore SA1019 MCP deprecates roots, sampling and logging with 2026-07-28, for not earlier than a year after; the servers of today have them.

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// deprecated adds what MCP deprecates.
func (a *asked) deprecated(options *mcp.ClientOptions) {
	options.LoggingMessageHandler = a.log
	if len(a.server.Roots) > 0 {
		options.Capabilities.RootsV2 = &mcp.RootCapabilities{}
	}
	if a.opts.Host.Sample != nil {
		// The handler with tools is the one that the SDK hands everything to as it is;
		// that it could take tools is not announced.
		options.CreateMessageWithToolsHandler = a.sample
		options.Capabilities.Sampling = &mcp.SamplingCapabilities{}
	}
}

// addRoots tells the SDK the roots of s.
func addRoots(client *mcp.Client, s *Server) {
	all := make([]*mcp.Root, len(s.Roots))
	for i, r := range s.Roots {
		all[i] = &mcp.Root{URI: r.URI, Name: r.Name}
	}
	client.AddRoots(all...)
}

func (a *asked) sample(ctx context.Context, req *mcp.CreateMessageWithToolsRequest) (*mcp.CreateMessageWithToolsResult, error) {
	if incomplete(req.Params) {
		return nil, refuse("parameters are missing")
	}
	ctx, leave, err := a.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s, err := a.sampling(req.Params)
	if err != nil {
		return nil, err
	}
	s.Conversation = a.conversation(ctx)
	answer, err := a.opts.Host.Sample(ctx, s)
	if err == nil && answer == nil {
		err = errors.New("the host returned no answer")
	}
	if err != nil {
		return nil, a.failed("a completion", err)
	}
	data, err := json.Marshal(map[string]any{
		"role": "assistant", "model": answer.Model, "stopReason": answer.StopReason, "content": answer.Content,
	})
	var res mcp.CreateMessageWithToolsResult
	if err == nil {
		err = json.Unmarshal(data, &res)
	}
	if err != nil {
		return nil, a.failed("a completion", err)
	}
	return &res, nil
}

// sampling reads a request for a completion.
func (a *asked) sampling(p *mcp.CreateMessageWithToolsParams) (*Sampling, error) {
	data, err := json.Marshal(p)
	if err != nil || len(data) > maxSampling {
		return nil, refuse("the request is larger than %d bytes, or no JSON", maxSampling)
	}
	s := &Sampling{
		Server: a.server.Name, SystemPrompt: p.SystemPrompt, MaxTokens: p.MaxTokens,
		Temperature: p.Temperature, StopSequences: p.StopSequences,
	}
	for _, m := range p.Messages {
		for _, block := range m.Content {
			var c Content
			data, err := json.Marshal(block)
			if err == nil {
				err = c.UnmarshalJSON(data)
			}
			if err != nil {
				return nil, refuse("a message could not be read")
			}
			s.Messages = append(s.Messages, Message{Role: string(m.Role), Content: c})
		}
	}
	if p.ModelPreferences != nil {
		for _, hint := range p.ModelPreferences.Hints {
			if hint != nil {
				s.ModelHints = append(s.ModelHints, hint.Name)
			}
		}
	}
	return s, nil
}

// logs reports whether a server logs by means of MCP.
func logs(caps *mcp.ServerCapabilities) bool { return caps.Logging != nil }

// LogLevel is a level of the messages that a server logs, as in RFC 5424.
type LogLevel string

// The levels, from the least to the most severe.
const (
	LogDebug     LogLevel = "debug"
	LogInfo      LogLevel = "info"
	LogNotice    LogLevel = "notice"
	LogWarning   LogLevel = "warning"
	LogError     LogLevel = "error"
	LogCritical  LogLevel = "critical"
	LogAlert     LogLevel = "alert"
	LogEmergency LogLevel = "emergency"
)

// LogLevels are all levels, in that order.
var LogLevels = []LogLevel{LogDebug, LogInfo, LogNotice, LogWarning, LogError, LogCritical, LogAlert, LogEmergency}

// slogLevels are the levels of [log/slog] for those of MCP.
var slogLevels = map[LogLevel]slog.Level{
	LogDebug: slog.LevelDebug, LogInfo: slog.LevelInfo, LogNotice: slog.LevelInfo, LogWarning: slog.LevelWarn,
	LogError: slog.LevelError, LogCritical: slog.LevelError, LogAlert: slog.LevelError, LogEmergency: slog.LevelError,
}

// LogMessage is what a server logs by means of MCP; what it writes to standard
// error is [Status.Stderr].
type LogMessage struct {
	// Server is the configured name.
	Server string
	// Level is one of the constants.
	Level LogLevel
	// Logger is what the server calls its logger; may be empty. Untrusted text.
	Logger string
	// Text is the message, or the JSON of one that is not a string: at most 4 KiB,
	// without control characters. Untrusted text.
	Text string
	// Dropped is how many messages before this one were left out.
	Dropped int
}

const (
	maxLogText    = 4 << 10
	maxLogsSecond = 100
)

// log passes on what a server logs.
func (a *asked) log(_ context.Context, req *mcp.LoggingMessageRequest) {
	p := req.Params
	if p == nil {
		return
	}
	dropped, ok := a.logs.take(time.Now())
	if !ok {
		return
	}
	m := LogMessage{Server: a.server.Name, Level: LogLevel(p.Level), Logger: clean(p.Logger, 200), Dropped: dropped}
	if _, known := slogLevels[m.Level]; !known {
		m.Level = LogInfo
	}
	if text, ok := p.Data.(string); ok {
		m.Text = clean(text, maxLogText)
	} else if data, err := json.Marshal(p.Data); err == nil {
		m.Text = clean(string(data), maxLogText)
	}
	if a.opts.Host.OnLog != nil {
		a.opts.Host.OnLog(m)
		return
	}
	attrs := []any{"server", m.Server, "text", m.Text}
	if m.Logger != "" {
		attrs = append(attrs, "logger", m.Logger)
	}
	if m.Dropped > 0 {
		attrs = append(attrs, "dropped", m.Dropped)
	}
	a.opts.Logger.Log(context.Background(), slogLevels[m.Level], "MCP server logs", attrs...)
}

// logRate lets maxLogsSecond messages through in each second. It is used by one
// goroutine: the SDK handles the notifications of a connection in their order.
type logRate struct {
	start   time.Time
	count   int
	dropped int
}

// take reports whether a message goes through, and how many did not since the last
// one that did.
func (r *logRate) take(now time.Time) (dropped int, ok bool) {
	if now.Sub(r.start) >= time.Second {
		r.start, r.count = now, 0
	}
	if r.count++; r.count > maxLogsSecond {
		r.dropped++
		return 0, false
	}
	dropped, r.dropped = r.dropped, 0
	return dropped, true
}

// SetLogLevel asks a server to log, by means of MCP, what is at least as severe as
// level; see [Host.OnLog]. It holds until the connection is made anew; see
// [Server.LogLevel]. A server of protocol 2026-07-28 has no such request: there
// only [Server.LogLevel] counts, and SetLogLevel returns [ErrNotOffered].
func (c *Client) SetLogLevel(ctx context.Context, server string, level LogLevel, opts *CallOptions) error {
	conn, err := c.find(server)
	if err != nil {
		return err
	}
	_, err = conn.ask(ctx, request{
		method: "logging/setLevel",
		needs:  func(has Capabilities) bool { return has.Logging && !conn.modern() },
		send: func(ctx context.Context, session *mcp.ClientSession) error {
			return session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: mcp.LoggingLevel(level)})
		},
	}, opts)
	return err
}

// asksForLogs is middleware that asks a server of protocol 2026-07-28 to log: without
// a session, each request has to say so.
func asksForLogs(level LogLevel) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if params := req.GetParams(); params != nil {
				if meta := params.GetMeta(); meta[mcp.MetaKeyProtocolVersion] != nil {
					meta[mcp.MetaKeyLogLevel] = string(level)
				}
			}
			return next(ctx, method, req)
		}
	}
}

// askForLogs sets the level of a session that has just begun. A server that does not
// answer that has used up a part of its time to connect, and no more.
func (l *link) askForLogs(ctx context.Context, s *Server, o *Options) {
	init := l.session.InitializeResult()
	if s.LogLevel == "" || !capabilities(init).Logging || init.ProtocolVersion >= protocolModern {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.ConnectTimeout/4)
	defer cancel()
	if err := l.session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: mcp.LoggingLevel(s.LogLevel)}); err != nil {
		o.Logger.Warn("MCP server does not take the level of its logs", "server", s.Name, "reason", l.of.secrets.readable(err))
	}
}

// incomplete reports whether a server has left out parameters that the SDK takes for
// granted.
func incomplete(params mcp.Params) bool {
	switch p := params.(type) {
	case *mcp.ElicitParams:
		return p == nil
	case *mcp.ElicitationCompleteParams:
		return p == nil
	case *mcp.CreateMessageWithToolsParams:
		return p == nil || slices.Contains(p.Messages, nil)
	}
	return false
}

// incoming returns a question as the request that it is in older protocols.
func incoming(session *mcp.ClientSession, question mcp.InputRequest) (method string, req mcp.Request) {
	switch p := question.(type) {
	case *mcp.ElicitParams:
		return "elicitation/create", &mcp.ElicitRequest{Session: session, Params: p}
	case *mcp.ListRootsParams:
		return "roots/list", &mcp.ListRootsRequest{Session: session, Params: p}
	case *mcp.CreateMessageWithToolsParams:
		return "sampling/createMessage", &mcp.CreateMessageWithToolsRequest{Session: session, Params: p}
	}
	return "", nil
}
