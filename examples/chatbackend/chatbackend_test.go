package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/redistest"
	"github.com/conductor/conductor/sandbox"
)

// needDeno skips a test where there is no Deno; in CI, where nobody would notice,
// it fails.
func needDeno(t *testing.T) {
	t.Helper()
	_, err := sandbox.FindDeno(t.Context(), nil)
	if errors.Is(err, sandbox.ErrNoDeno) && os.Getenv("CI") == "" {
		t.Skipf("programs need Deno: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const (
	oslo   = "In Oslo, 4 of 40 articles last less than two weeks: rope no. 8, lantern no. 17, tent no. 26, stove no. 35. Restocking them for four weeks costs 5088 euro."
	bergen = "In Bergen, 3 of 40 articles last less than two weeks: tent no. 10, compass no. 21, rope no. 32. Restocking them for four weeks costs 3744 euro."
)

// A backend under test, with what it logs.
type backend struct {
	base   string
	client *http.Client
	log    *safeBuffer
}

// start serves the backend over a model, until the test ends.
func start(t *testing.T, modelHandler http.Handler) *backend {
	t.Helper()
	needDeno(t)
	leaktest.Check(t)
	b, stop := startOn(t, modelHandler, "")
	t.Cleanup(stop)
	return b
}

// startOn serves the backend until it is stopped. The store is at a location.
func startOn(t *testing.T, modelHandler http.Handler, location string) (b *backend, stop func()) {
	t.Helper()
	var stops []func()
	stop = func() {
		for _, f := range slices.Backward(stops) {
			f()
		}
	}
	modelServer := httptest.NewServer(modelHandler)
	stops = append(stops, modelServer.Close)
	m, err := newModel(modelServer.URL+"/v1", "test", "secret")
	if err != nil {
		t.Fatal(err)
	}
	stops = append(stops, m.close)
	store, err := openStore(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // of the server in this process
	stops = append(stops, cancel)
	c, err := newConductor(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	stops = append(stops, func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if closer, ok := store.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	b = &backend{log: &safeBuffer{}}
	s := httptest.NewServer(newServer(c, m, store, slog.New(slog.NewTextHandler(b.log, nil))))
	stops = append(stops, s.Close)
	b.base, b.client = s.URL, s.Client()
	return b, stop
}

// safeBuffer may be written by several requests.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// post sends a body and returns the status and the response.
func (b *backend) post(ctx context.Context, body string) (int, chatResponse, error) {
	var response chatResponse
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/chat", strings.NewReader(body))
	if err != nil {
		return 0, response, err
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	reply, err := b.client.Do(r)
	if err != nil {
		return 0, response, err
	}
	defer reply.Body.Close()
	return reply.StatusCode, response, json.NewDecoder(reply.Body).Decode(&response)
}

func (b *backend) say(ctx context.Context, conversation, text string) (int, chatResponse, error) {
	body, err := json.Marshal(chatRequest{Conversation: conversation, Message: text})
	if err != nil {
		return 0, chatResponse{}, err
	}
	return b.post(ctx, string(body))
}

// called lists what each round called.
func called(steps []step) []string {
	var all []string
	for _, s := range steps {
		var names []string
		for _, c := range s.Calls {
			names = append(names, c.Name)
		}
		all = append(all, strings.Join(names, "+"))
	}
	return all
}

func TestTwoTurns(t *testing.T) {
	b := start(t, scriptedModel())
	status, first, err := b.say(t.Context(), "", questions[0])
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || first.Reply != oslo || first.Conversation == "" || first.Error != "" {
		t.Errorf("first turn: %d %+v", status, first)
	}
	if diff := cmp.Diff([]string{"find_tools", "load_tool_spec", "execute_code", ""}, called(first.Steps)); diff != "" {
		t.Errorf("first turn's rounds (-want +got):\n%s", diff)
	}
	status, second, err := b.say(t.Context(), first.Conversation, questions[1])
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || second.Reply != bergen || second.Conversation != first.Conversation {
		t.Errorf("second turn: %d %+v", status, second)
	}
	if diff := cmp.Diff([]string{"execute_code", ""}, called(second.Steps)); diff != "" {
		t.Errorf("second turn's rounds (-want +got):\n%s", diff)
	}
	tokens := 0
	for _, s := range append(first.Steps, second.Steps...) {
		if s.PromptTokens <= tokens {
			t.Errorf("a prompt of %d tokens after one of %d: the history does not grow", s.PromptTokens, tokens)
		}
		tokens = s.PromptTokens
	}
	if result := first.Steps[2].Calls[0].Result; !strings.Contains(result, `"cost":5088`) {
		t.Errorf("the result of the program is %q", result)
	}
}

// A conversation goes on after a restart, and at another replica: what was said, and
// what was loaded.
func TestRestart(t *testing.T) {
	needDeno(t)
	leaktest.Check(t)
	for name, location := range map[string]string{"folder": filepath.Join(t.TempDir(), "chats"), "redis": redistest.Start(t)} {
		t.Run(name, func(t *testing.T) {
			b, stop := startOn(t, scriptedModel(), location)
			_, first, err := b.say(t.Context(), "", questions[0])
			stop()
			if err != nil || first.Reply != oslo {
				t.Fatalf("first turn: %+v, %v", first, err)
			}
			b, stop = startOn(t, scriptedModel(), location)
			defer stop()
			other, stopOther := startOn(t, scriptedModel(), location)
			defer stopOther()
			tokens := first.Steps[len(first.Steps)-1].PromptTokens
			for i, b := range []*backend{b, other, b} {
				status, response, err := b.say(t.Context(), first.Conversation, questions[1])
				if err != nil || status != http.StatusOK || response.Reply != bergen {
					t.Fatalf("turn %d: %d %+v, %v", i, status, response, err)
				}
				if diff := cmp.Diff([]string{"execute_code", ""}, called(response.Steps)); diff != "" {
					t.Errorf("turn %d: rounds (-want +got):\n%s", i, diff)
				}
				if now := response.Steps[0].PromptTokens; now <= tokens {
					t.Errorf("turn %d: a prompt of %d tokens after one of %d: what was said is forgotten", i, now, tokens)
				} else {
					tokens = now
				}
			}
		})
	}
}

// A new conversation knows nothing of an older one.
func TestConversationsAreApart(t *testing.T) {
	b := start(t, scriptedModel())
	turns := []struct{ question, want string }{
		{"What runs out in Oslo?", oslo}, {"And in Bergen?", bergen}, {"Again Oslo, please", oslo},
	}
	var group sync.WaitGroup
	ids := make([]string, 2)
	for i := range ids {
		group.Go(func() {
			for n, turn := range turns {
				status, response, err := b.say(t.Context(), ids[i], turn.question)
				if err != nil || status != http.StatusOK || response.Reply != turn.want {
					t.Errorf("conversation %d, turn %d: %d %+v %v", i, n, status, response, err)
					return
				}
				rounds := 2
				if n == 0 {
					rounds = 4
				}
				if len(response.Steps) != rounds {
					t.Errorf("conversation %d, turn %d: rounds %q, want %d", i, n, called(response.Steps), rounds)
				}
				ids[i] = response.Conversation
			}
		})
	}
	group.Wait()
	if ids[0] == ids[1] {
		t.Errorf("both conversations are %q", ids[0])
	}
}

func TestBadRequests(t *testing.T) {
	b := start(t, scriptedModel())
	const jsonType = "application/json"
	tests := []struct {
		name, method, path, contentType, body string
		status                                int
		want                                  string
	}{
		{"no JSON", "POST", "/chat", jsonType, `hello`, 400, `want {"conversation": "an id, or empty", "message": "text"}: invalid character 'h'`},
		{"nothing", "POST", "/chat", jsonType, ``, 400, "EOF"},
		{"wrong type", "POST", "/chat", jsonType, `{"message": 1}`, 400, "cannot unmarshal number"},
		{"unknown field", "POST", "/chat", jsonType, `{"massage": "hi"}`, 400, `unknown field "massage"`},
		{"two values", "POST", "/chat", jsonType, `{"message": "hi"} {}`, 400, "something follows the object"},
		{"garbage after it", "POST", "/chat", jsonType, `{"message": "hi"} x`, 400, "invalid character 'x'"},
		{"empty message", "POST", "/chat", jsonType, `{"message": " "}`, 400, "the message is empty"},
		{"too long", "POST", "/chat", jsonType, `{"message": "` + strings.Repeat("a", maxBody) + `"}`, 413, "the message is too long"},
		{"form", "POST", "/chat", "application/x-www-form-urlencoded", `message=hi`, 415, "application/json"},
		{"no such conversation", "POST", "/chat", jsonType, `{"conversation": "x", "message": "hi"}`, 404, "there is no such conversation (any more); leave it empty to begin one"},
		{"GET", "GET", "/chat", "", "", 405, "use POST"},
		{"unknown route", "POST", "/chats", jsonType, `{"message": "hi"}`, 404, "use POST /chat"},
		{"root", "GET", "/", "", "", 404, "use POST /chat"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), test.method, b.base+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", test.contentType)
			reply, err := b.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			var response chatResponse
			if err := json.NewDecoder(reply.Body).Decode(&response); err != nil {
				t.Fatal(err)
			}
			if reply.StatusCode != test.status || !strings.Contains(response.Error, test.want) || response.Reply != "" {
				t.Errorf("got %d %+v, want %d with %q", reply.StatusCode, response, test.status, test.want)
			}
		})
	}
	if b.log.String() != "" {
		t.Errorf("a client's mistakes were logged:\n%s", b.log.String())
	}
}

// What is wrong with the model is the operator's to know, and the next turn works.
func TestModelFails(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		logged string
	}{
		{"500", 500, `{"error": {"message": "account 4711 is overdrawn", "type": "server_error"}}`, "HTTP 500 Internal Server Error: account 4711 is overdrawn"},
		{"401 without JSON", 401, "<html>account 4711</html>", "HTTP 401 Unauthorized: <html>account 4711</html>"},
		{"no JSON", 200, "account 4711", "the answer is no chat completion"},
		{"no choices", 200, `{"choices": []}`, "the answer has no choices"},
		{"empty answer", 200, `{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}`, `the answer is empty (finish_reason \"length\")`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			healthy := scriptedModel()
			requests := 0
			b := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// It fails once, when the tools are found and are to be loaded.
				if requests++; requests == 2 {
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body)
					return
				}
				if got := r.Header.Get("Authorization"); got != "Bearer secret" {
					t.Errorf("Authorization is %q", got)
				}
				healthy.ServeHTTP(w, r)
			}))
			status, response, err := b.say(t.Context(), "", questions[0])
			if err != nil {
				t.Fatal(err)
			}
			if status != http.StatusBadGateway || response.Error != "the model does not answer now; the log of the server says why" {
				t.Errorf("got %d %+v", status, response)
			}
			if diff := cmp.Diff([]string{"find_tools"}, called(response.Steps)); diff != "" {
				t.Errorf("rounds before the failure (-want +got):\n%s", diff)
			}
			if log := b.log.String(); !strings.Contains(log, test.logged) || strings.Contains(log, "secret") {
				t.Errorf("the log has not %q, or the key:\n%s", test.logged, log)
			}
			status, response, err = b.say(t.Context(), response.Conversation, "Once more for Oslo")
			if err != nil || status != http.StatusOK || response.Reply != oslo {
				t.Errorf("the next turn: %d %+v %v", status, response, err)
			}
		})
	}
}

func TestModelNeverStops(t *testing.T) {
	requests := 0
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		var request completionRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		// Calls of all kinds of wrong, too: the model is told, the turn goes on.
		reply := call(request.Messages, []string{"find_tools", "no_such_function"}[requests%2], map[string]any{"query": "stock"})
		respond(w, http.StatusOK, completion{Choices: []choice{{Message: reply}}})
	}))
	status, response, err := b.say(t.Context(), "", "hello")
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusBadGateway || !strings.Contains(response.Error, "came to no answer") {
		t.Errorf("got %d %+v", status, response)
	}
	if requests != maxRounds || len(response.Steps) != maxRounds {
		t.Errorf("%d requests and %d steps, want %d", requests, len(response.Steps), maxRounds)
	}
	if result := response.Steps[0].Calls[0].Result; !strings.Contains(result, `there is no function "no_such_function"`) {
		t.Errorf("a wrong call gave %q", result)
	}
}

// One conversation has one turn at a time.
func TestTurnUnderWay(t *testing.T) {
	healthy := scriptedModel()
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if bytes.Contains(body, []byte("slowly")) {
			once.Do(func() { close(entered) })
			<-release
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		healthy.ServeHTTP(w, r)
	}))
	_, first, err := b.say(t.Context(), "", "Oslo")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		status, response, err := b.say(t.Context(), first.Conversation, "Bergen, slowly")
		if err == nil && response.Reply != bergen {
			err = fmt.Errorf("got %d %+v", status, response)
		}
		done <- err
	}()
	<-entered
	status, response, err := b.say(t.Context(), first.Conversation, "Oslo")
	close(release)
	if err != nil || status != http.StatusConflict || !strings.Contains(response.Error, "waits for an answer") {
		t.Errorf("a second turn at the same time: %d %+v %v", status, response, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestForgetsOldestConversation(t *testing.T) {
	b := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond(w, http.StatusOK, completion{Choices: []choice{{Message: say("hello")}}})
	}))
	var ids []string
	for range maxRecords + 1 {
		status, response, err := b.say(t.Context(), "", "hello")
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d %+v %v", status, response, err)
		}
		ids = append(ids, response.Conversation)
	}
	for i, want := range map[int]int{0: http.StatusNotFound, 1: http.StatusOK, maxRecords: http.StatusOK} {
		if status, response, err := b.say(t.Context(), ids[i], "hello"); err != nil || status != want {
			t.Errorf("conversation %d: %d %+v %v, want %d", i, status, response, err, want)
		}
	}
}

func TestCloseTurn(t *testing.T) {
	two := message{Role: "assistant", ToolCalls: []toolCall{{ID: "a"}, {ID: "b"}}}
	history := closeTurn([]message{
		{Role: "user", Content: "hi"}, two,
		{Role: "tool", ToolCallID: "a", Content: "done"},
	})
	var got []string
	for _, m := range history {
		got = append(got, m.Role+m.ToolCallID)
	}
	if diff := cmp.Diff([]string{"user", "assistant", "toola", "toolb", "assistant"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRecent(t *testing.T) {
	turn := func(n, size int) []message {
		return []message{
			{Role: "user", Content: fmt.Sprint(n)},
			{Role: "assistant", ToolCalls: []toolCall{{ID: "a"}}},
			{Role: "tool", ToolCallID: "a", Content: strings.Repeat("x", size)},
			{Role: "assistant", Content: "yes"},
		}
	}
	tests := []struct {
		name string
		size int
		want int // turns left of four
	}{
		{"short", 10, 4},
		{"a third each", maxHistory/3 - 10, 3},
		{"each too long", 2 * maxHistory, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var history []message
			for n := range 4 {
				history = append(history, turn(n, test.size)...)
			}
			want := history[4*(4-test.want):]
			if diff := cmp.Diff(want, recent(history)); diff != "" {
				t.Errorf("%d messages, want the last %d", len(recent(history)), len(want))
			}
		})
	}
	if got := recent(nil); len(got) != 0 {
		t.Errorf("nothing became %v", got)
	}
}

func TestNewModel(t *testing.T) {
	for _, bad := range []string{"", "localhost:1234", "ftp://host/v1", "http://", "://"} {
		if _, err := newModel(bad, "m", ""); err == nil || !strings.Contains(err.Error(), "base URL must be like") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for base, want := range map[string]string{
		"http://host:1/v1":           "http://host:1/v1/chat/completions",
		"https://host/v1/":           "https://host/v1/chat/completions",
		"https://host/a/b?version=2": "https://host/a/b/chat/completions?version=2",
	} {
		m, err := newModel(base, "m", "")
		if err != nil || m.endpoint != want {
			t.Errorf("%q: %+v %v", base, m, err)
		}
	}
}

// The example as the README's reader runs it.
func TestRun(t *testing.T) {
	needDeno(t)
	leaktest.Check(t)
	var out bytes.Buffer
	if err := run(t.Context(), options{}, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	for _, want := range []string{
		"user: " + questions[0], "assistant: " + oslo, "user: " + questions[1], "assistant: " + bergen,
		"  round 4, prompt of ", "    find_tools {", "    load_tool_spec {", "    execute_code", "-listen",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not have %q:\n%s", want, out.String())
		}
	}
}

func TestRunErrors(t *testing.T) {
	leaktest.Check(t)
	for want, o := range map[string]options{
		"-base-url needs -model":            {baseURL: "http://localhost:1/v1"},
		"the model's base URL must be like": {baseURL: "localhost", model: "m"},
	} {
		if err := run(t.Context(), o, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestRunListens(t *testing.T) {
	needDeno(t)
	leaktest.Check(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, options{listen: "127.0.0.1:0"}, w)
		w.Close()
		done <- err
	}()
	lines := bufio.NewScanner(out)
	base, hint := "", false
	for !hint && lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "POST "); ok {
			base = strings.TrimSuffix(url, "/chat")
		}
		hint = strings.Contains(lines.Text(), "Ctrl-C")
	}
	client := &http.Client{Transport: &http.Transport{}}
	response, err := ask(ctx, client, base, chatRequest{Message: "Bergen?"})
	if err != nil || response.Reply != bergen {
		t.Errorf("%+v, %v", response, err)
	}
	client.CloseIdleConnections()
	cancel()
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
