package conductor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/conductor/conductor/sandbox"
)

// The names of the functions that a model is given.
const (
	FindToolsName    = "find_tools"
	LoadToolSpecName = "load_tool_spec"
	ExecuteCodeName  = "execute_code"
)

// A Definition describes one function to a model. Every provider wants the same
// three things under names of its own, for example "parameters" or "input_schema"
// for the schema.
type Definition struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// InputSchema is the JSON Schema of the arguments.
	InputSchema json.RawMessage `json:"inputSchema"`
}

// Definitions returns the three functions that a model needs: [FindToolsName],
// [LoadToolSpecName] and [ExecuteCodeName]. They are the same for all
// conversations, so that a provider's prompt cache keeps hitting.
func Definitions() []Definition {
	return []Definition{
		{
			Name:        FindToolsName,
			Description: "Find tools by what they do, in your own words or by name. Returns names with one-line TypeScript signatures, best first. Then load what you need with load_tool_spec.",
			InputSchema: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","description":"What the tool should do"},"queries":{"type":"array","items":{"type":"string"},"maxItems":10,"description":"Several phrasings or several needs at once, instead of query"},"server":{"type":"string","description":"Only tools of this server"},"limit":{"type":"integer","minimum":1,"maximum":100,"description":"How many tools at most, 8 if absent"}},"additionalProperties":false}`),
		},
		{
			Name:        LoadToolSpecName,
			Description: "Show the full TypeScript of tools and make them importable by programs of this conversation. Load all that you need in one call.",
			InputSchema: json.RawMessage(`{"type":"object","properties":{"names":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":50,"description":"Names as find_tools returns them: server.tool"}},"required":["names"],"additionalProperties":false}`),
		},
		{
			Name:        ExecuteCodeName,
			Description: `Run a TypeScript program that calls loaded tools: import * as server from "./mcp/server"; const a = await server.tool({ … }); return a.length. Top-level await works. The value is what is returned, or the last expression; console.log is shown too. Files, network and environment only through tools, unless you are told otherwise.`,
			InputSchema: json.RawMessage(`{"type":"object","properties":{"code":{"type":"string","description":"The program"},"timeout_ms":{"type":"integer","minimum":1,"maximum":300000,"description":"How long it may run, 30000 if absent"}},"required":["code"],"additionalProperties":false}`),
		},
	}
}

// An Answer is what [Conversation.Dispatch] has for the model.
type Answer struct {
	// Text is for the model to read.
	Text string
	// Result is the same as data: a *[FindResult], *[LoadResult] or *[Result]. It
	// is nil if IsError.
	Result any
	// IsError tells that the call itself was wrong: no such function, or wrong
	// arguments. Text says what is expected.
	IsError bool
}

// Dispatch runs a model's call of one of the [Definitions]. args is the JSON object
// that the model wrote. A call that is wrong is not a Go error: the Answer tells the
// model. A program that fails is neither: its [Result] tells. As with
// [Conversation.Execute], there can be an Answer beside the error if the context
// ended.
func (v *Conversation) Dispatch(ctx context.Context, name string, args json.RawMessage) (*Answer, error) {
	switch name {
	case FindToolsName:
		return dispatch(args, func(a *findArgs) (texter, error) { return a.run(ctx, v) })
	case LoadToolSpecName:
		return dispatch(args, func(a *loadArgs) (texter, error) { return a.run(ctx, v) })
	case ExecuteCodeName:
		return dispatch(args, func(a *executeArgs) (texter, error) { return a.run(ctx, v) })
	}
	return wrongCall(fmt.Errorf("there is no function %q: call %s, %s or %s", name, FindToolsName, LoadToolSpecName, ExecuteCodeName)), nil
}

// errWrongCall marks what the model can mend.
var errWrongCall = errors.New("wrong arguments")

type texter interface{ Text() string }

func dispatch[Args any](raw json.RawMessage, run func(*Args) (texter, error)) (*Answer, error) {
	var args Args
	if err := decodeArgs(raw, &args); err != nil {
		return wrongCall(err), nil
	}
	result, err := run(&args)
	if errors.Is(err, errWrongCall) {
		return wrongCall(err), nil
	}
	if result == nil {
		return nil, err
	}
	return &Answer{Text: result.Text(), Result: result}, err
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil[T any, P interface {
	*T
	texter
}](result P, err error) (texter, error) {
	if result == nil {
		return nil, err
	}
	return result, err
}

func wrongCall(err error) *Answer { return &Answer{Text: err.Error(), IsError: true} }

// decodeArgs is strict, since an argument that is ignored is one that the model
// believes in.
func decodeArgs(raw json.RawMessage, into any) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %s", errWrongCall, explainDecoding(err, into))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("%w: there is more than one JSON value", errWrongCall)
	}
	return nil
}

// explainDecoding says what is wrong in the words of JSON, and not of Go.
func explainDecoding(err error, into any) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		kinds := map[reflect.Kind]string{reflect.String: "a string", reflect.Slice: "a list of strings", reflect.Struct: "an object"}
		want, ok := kinds[wrongType.Type.Kind()]
		if !ok {
			want = "a whole number"
		}
		return fmt.Sprintf("%s must be %s, not a JSON %s", cmp.Or(wrongType.Field, "the argument"), want, wrongType.Value)
	}
	var known []string
	t := reflect.TypeOf(into).Elem()
	for i := range t.NumField() {
		known = append(known, t.Field(i).Tag.Get("json"))
	}
	message := strings.TrimPrefix(err.Error(), "json: ")
	if strings.HasPrefix(message, "unknown field") {
		return message + ": the arguments are " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("they are not JSON (%s): write one object with %s", message, strings.Join(known, ", "))
}

type findArgs struct {
	Query   string   `json:"query"`
	Queries []string `json:"queries"`
	Server  string   `json:"server"`
	Limit   int      `json:"limit"`
}

// maxQueries and maxNames keep one call's work small.
const (
	maxQueries = 10
	maxNames   = 50
)

func (a *findArgs) run(ctx context.Context, v *Conversation) (texter, error) {
	switch {
	case strings.TrimSpace(a.Query+strings.Join(a.Queries, "")) == "":
		return nil, fmt.Errorf("%w: query or queries must say what the tool should do", errWrongCall)
	case len(a.Queries) > maxQueries:
		return nil, fmt.Errorf("%w: queries has %d entries, at most %d", errWrongCall, len(a.Queries), maxQueries)
	case a.Limit < 0:
		return nil, fmt.Errorf("%w: limit is %d", errWrongCall, a.Limit)
	case a.Server != "" && (v.c.module(a.Server) == nil || v.hides(a.Server)):
		return nil, fmt.Errorf("%w: %s", errWrongCall, v.explainServer(a.Server))
	}
	return orNil(v.FindTools(ctx, a.Query, &FindOptions{Queries: a.Queries, Server: a.Server, Limit: a.Limit}))
}

type loadArgs struct {
	Names []string `json:"names"`
}

func (a *loadArgs) run(ctx context.Context, v *Conversation) (texter, error) {
	if len(a.Names) == 0 || len(a.Names) > maxNames {
		return nil, fmt.Errorf("%w: names has %d entries, want 1 to %d such as \"server.tool\"", errWrongCall, len(a.Names), maxNames)
	}
	return orNil(v.LoadToolSpec(ctx, a.Names...))
}

type executeArgs struct {
	Code      string `json:"code"`
	TimeoutMS int64  `json:"timeout_ms"`
}

func (a *executeArgs) run(ctx context.Context, v *Conversation) (texter, error) {
	if most := sandbox.MaxTimeout.Milliseconds(); a.TimeoutMS < 0 || a.TimeoutMS > most {
		return nil, fmt.Errorf("%w: timeout_ms is %d, want 1 to %d", errWrongCall, a.TimeoutMS, most)
	}
	return orNil(v.Execute(ctx, a.Code, &ExecuteOptions{Timeout: time.Duration(a.TimeoutMS) * time.Millisecond}))
}
