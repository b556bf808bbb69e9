package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

func TestListChanged(t *testing.T) {
	s := newStage()
	var mu sync.Mutex
	var told []int // numbers of tools
	opts := &mcpclient.Options{OnChange: func(s mcpclient.Status, tools []mcpclient.Tool) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, len(tools))
	}}
	bubble(t, s, opts, func(t *testing.T, c *mcpclient.Client) {
		for i := range 100 { // each is announced
			text(s.server, fmt.Sprintf("more%d", i), func() string { return "" })
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if n := len(c.Tools("stage")); n != 101 {
			t.Errorf("%d tools", n)
		}
		if n := s.count("tools/list"); n > 5 { // one at first, then one a second at most
			t.Errorf("%d listings for 100 changes within 2 s", n)
		}
		before := s.count("tools/list")
		s.server.RemoveTools("more7")
		time.Sleep(2 * time.Second)
		if n := len(c.Tools("stage")); n != 100 || s.count("tools/list") != before+1 {
			t.Errorf("%d tools after %d listings", n, s.count("tools/list"))
		}
		mu.Lock()
		defer mu.Unlock()
		if told[0] != 1 || told[len(told)-1] != 100 {
			t.Errorf("told of %v tools", told)
		}
	})
}

// A list that cannot be read again stays as it was, and is tried again.
func TestListCannotBeReadAgain(t *testing.T) {
	s := newStage()
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		s.set(func() { s.lacks["tools/list"] = true })
		text(s.server, "more", func() string { return "" })
		time.Sleep(time.Second)
		wantState(t, c, mcpclient.StateDegraded, "could not be listed again", "no tools/list")
		if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); err != nil || len(c.Tools("stage")) != 1 {
			t.Errorf("error %v", err)
		}
		s.set(func() { s.lacks["tools/list"] = false })
		time.Sleep(time.Minute)
		wantState(t, c, mcpclient.StateReady)
		if len(c.Tools("stage")) != 2 {
			t.Error("the new tool is not there")
		}
	})
}

// Servers that announce nothing are listed again from time to time, and when they are
// connected again.
func TestRelist(t *testing.T) {
	for _, tt := range []struct {
		name     string
		interval time.Duration
		want     int // listings in an hour
	}{{"by default", 0, 5}, {"often", time.Minute, 61}, {"never", -1, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage()
			s.server = mcp.NewServer(&mcp.Implementation{Name: "mute", Version: "1"}, &mcp.ServerOptions{
				Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
			})
			text(s.server, "ping", func() string { return "pong" })
			bubble(t, s, &mcpclient.Options{RelistInterval: tt.interval, HealthInterval: -1}, func(t *testing.T, c *mcpclient.Client) {
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := s.count("tools/list"); n != tt.want {
					t.Errorf("%d listings, want %d", n, tt.want)
				}
				s.server.RemoveTools("ping")
				s.hangUp()
				wantState(t, c, mcpclient.StateReady)
				if len(c.Tools("stage")) != 0 {
					t.Error("the tools are those of before the connection was lost")
				}
			})
		})
	}
}

func TestProgressExtendsTheDeadline(t *testing.T) {
	tests := []struct {
		name        string
		takes       time.Duration
		limit, most time.Duration
		want        time.Duration // until the call ends
		listens     bool
		fails       string // what the error says
	}{
		{"not asked for", 20 * time.Second, 5500 * time.Millisecond, 0, 5500 * time.Millisecond, true, "the server did not answer within 5.5s"},
		{"each report extends it", 20 * time.Second, 5500 * time.Millisecond, time.Minute, 20 * time.Second, true, ""},
		{"without a listener too", 20 * time.Second, 5500 * time.Millisecond, time.Minute, 20 * time.Second, false, ""},
		{"up to the bound", time.Hour, 5500 * time.Millisecond, time.Minute, time.Minute, true, "the server reported progress, and did not answer within 1m0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage()
			slowTool(s.server, tt.takes)
			server := s.config()
			server.CallTimeout, server.MaxCallTimeout = tt.limit, tt.most
			bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
				var reports []mcpclient.Progress
				opts := &mcpclient.CallOptions{}
				if tt.listens {
					opts.OnProgress = func(p mcpclient.Progress) { reports = append(reports, p) }
				}
				begun := time.Now()
				_, err := c.Call(t.Context(), "stage", "slow", nil, opts)
				if took := time.Since(begun); took != tt.want || (err != nil) != (tt.fails != "") || err != nil && (!errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tt.fails)) {
					t.Errorf("after %v: %v", took, err)
				}
				if tt.listens && (len(reports) < 5 || reports[2] != mcpclient.Progress{Progress: 3, Total: tt.takes.Seconds(), Message: "step"}) {
					t.Errorf("%d reports, %+v", len(reports), reports)
				}
			})
		})
	}
}

// A server that begins to report progress and falls silent has no more than one step.
func TestProgressThatStops(t *testing.T) {
	s := newStage()
	s.server.AddTool(&mcp.Tool{Name: "stuck", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: 1})
		<-ctx.Done()
		return nil, ctx.Err()
	})
	bubble(t, s, &mcpclient.Options{CallTimeout: 5 * time.Second, MaxCallTimeout: time.Hour}, func(t *testing.T, c *mcpclient.Client) {
		_, err := c.Call(t.Context(), "stage", "stuck", nil, nil)
		if err == nil || !strings.Contains(err.Error(), "the server did not answer, nor report more progress, within 5s") {
			t.Errorf("error %v", err)
		}
	})
}

// A call with a time of its own, and one that waits for its turn: the time runs from
// when the call is sent.
func TestConcurrencyAndTurns(t *testing.T) {
	s := newStage()
	slowTool(s.server, time.Second)
	server := s.config()
	server.MaxConcurrency = 2
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		var mu sync.Mutex
		var order []string
		var calls sync.WaitGroup
		call := func(conversation string) {
			calls.Go(func() {
				_, err := c.Call(context.Background(), "stage", "slow", nil, &mcpclient.CallOptions{Conversation: conversation, Timeout: 1500 * time.Millisecond})
				mu.Lock()
				defer mu.Unlock()
				if order = append(order, conversation); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range 10 {
			call("greedy")
		}
		call("modest")
		begun := time.Now()
		calls.Wait()
		if took := time.Since(begun); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("11 calls of a second, 2 at a time, took %v", took)
		}
		if at := strings.Index(strings.Join(order, " "), "modest"); at < 0 || at > len("greedy ")*3 {
			t.Errorf("the modest one came after %v", order)
		}
	})
}

func TestTurnIsGivenUp(t *testing.T) {
	s := newStage()
	slowTool(s.server, time.Minute)
	server := s.config()
	server.MaxConcurrency = 1
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		first := make(chan error, 1)
		go func() {
			_, err := c.Call(context.Background(), "stage", "slow", nil, nil)
			first <- err
		}()
		synctest.Wait()
		var others sync.WaitGroup
		for i, conversation := range []string{"a", "b", "a"} {
			others.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(3-i)*time.Second)
				defer cancel()
				_, err := c.Call(ctx, "stage", "ping", nil, &mcpclient.CallOptions{Conversation: conversation})
				var ce *mcpclient.CallError
				if !errors.As(err, &ce) || ce.OutcomeUnknown || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for a turn") {
					t.Errorf("error %v", err)
				}
			})
		}
		others.Wait()
		if err := <-first; err != nil {
			t.Error(err)
		}
		if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestPerConversation(t *testing.T) {
	s := newStage()
	server := s.config()
	server.Sharing, server.MaxConnections = mcpclient.SharingPerConversation, 2
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		call := func(conversation string) error {
			_, err := c.Call(t.Context(), "stage", "ping", nil, &mcpclient.CallOptions{Conversation: conversation})
			return err
		}
		expect := func(connections, dials int) {
			t.Helper()
			synctest.Wait()
			if got, n := c.Status()[0].Connections, len(s.attempts()); got != connections || n != dials {
				t.Errorf("%d connections after %d attempts, want %d after %d", got, n, connections, dials)
			}
		}
		for _, conversation := range []string{"", "a", "a", "b", "a"} {
			if err := call(conversation); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		expect(2, 3) // one for the list, one each
		if err := call("c"); err != nil {
			t.Fatal(err)
		}
		expect(2, 4) // b, which was unused the longest, made room
		time.Sleep(9 * time.Minute)
		if err := call("a"); err != nil {
			t.Fatal(err)
		}
		expect(2, 4)
		time.Sleep(2 * time.Minute)
		expect(1, 4) // c was unused for ten minutes
		c.Release("a")
		c.Release("nobody")
		expect(0, 4)
		if err := call("a"); err != nil {
			t.Fatal(err)
		}
		if err := c.Disable("stage"); err != nil {
			t.Fatal(err)
		}
		expect(0, 5)
		if err := call("a"); !errors.Is(err, mcpclient.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if err := c.Enable("stage"); err != nil {
			t.Fatal(err)
		}
		if err := call("a"); err != nil {
			t.Error(err)
		}
	})
}

func TestPerConversationBusy(t *testing.T) {
	s := newStage()
	slowTool(s.server, time.Minute)
	server := s.config()
	server.Sharing, server.MaxConnections = mcpclient.SharingPerConversation, 1
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		done := make(chan error, 1)
		go func() {
			_, err := c.Call(context.Background(), "stage", "slow", nil, &mcpclient.CallOptions{Conversation: "a"})
			done <- err
		}()
		synctest.Wait()
		_, err := c.Call(t.Context(), "stage", "ping", nil, &mcpclient.CallOptions{Conversation: "b"})
		if !errors.Is(err, mcpclient.ErrUnavailable) || !strings.Contains(err.Error(), "raise MaxConnections") {
			t.Errorf("error %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
