package mcpclient_test

import (
	"context"
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

func TestBackoffGrowsToItsCeiling(t *testing.T) {
	s := newStage()
	s.refuse = errors.New("no power")
	var h history
	bubble(t, s, &mcpclient.Options{OnChange: h.add}, func(t *testing.T, c *mcpclient.Client) {
		status := wantState(t, c, mcpclient.StateBackoff, "no power")
		if status.Failures != 1 || !status.NextAttempt.After(time.Now()) {
			t.Errorf("status %+v", status)
		}
		time.Sleep(24 * time.Hour)
		at := s.attempts()
		// At the ceiling of 5 min, with up to a half taken off: 288 to 576 a day.
		if len(at) < 280 || len(at) > 600 {
			t.Errorf("%d attempts in a day", len(at))
		}
		for i := 1; i < len(at); i++ {
			full := min(time.Second<<min(i-1, 20), 5*time.Minute)
			if gap := at[i].Sub(at[i-1]); gap < full/2 || gap > full {
				t.Errorf("attempt %d came after %v, want %v to %v", i, gap, full/2, full)
			}
		}
		if got := h.String(); !strings.HasPrefix(got, "[backoff connecting backoff connecting ") {
			t.Errorf("told %.60s", got)
		}
		s.set(func() { s.refuse = nil })
		time.Sleep(5 * time.Minute)
		if status := wantState(t, c, mcpclient.StateReady); status.Failures != 0 || status.Err != nil || !status.NextAttempt.IsZero() {
			t.Errorf("status %+v", status)
		}
	})
}

func TestLossOfAStableConnection(t *testing.T) {
	s := newStage()
	var h history
	bubble(t, s, &mcpclient.Options{OnChange: h.add}, func(t *testing.T, c *mcpclient.Client) {
		time.Sleep(2 * time.Minute)
		lost := time.Now()
		s.hangUp()
		status := wantState(t, c, mcpclient.StateReady)
		if at := s.attempts(); len(at) != 2 || !at[1].Equal(lost) || !status.Since.Equal(lost) {
			t.Errorf("attempts %v, lost at %v, status %+v", at, lost, status)
		}
		s.hangUp() // again, within a minute: that is one failure
		if status := wantState(t, c, mcpclient.StateBackoff); status.Failures != 1 || status.Tools != 1 || len(c.Tools("stage")) != 1 {
			t.Errorf("status %+v", status)
		}
		time.Sleep(time.Second)
		wantState(t, c, mcpclient.StateReady)
		if got := h.String(); got != "[ready connecting ready backoff connecting ready]" {
			t.Errorf("told %s", got)
		}
	})
}

func TestCallTriesNow(t *testing.T) {
	s := newStage()
	s.refuse = errors.New("no power")
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		time.Sleep(time.Hour) // the next attempt may be minutes away
		wantState(t, c, mcpclient.StateBackoff)
		before := len(s.attempts())
		begun := time.Now()
		for range 10 {
			if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) || !strings.Contains(err.Error(), "no power") {
				t.Fatalf("error %v", err)
			}
		}
		// Each call had an attempt, but no two came closer than a second.
		if made, took := len(s.attempts())-before, time.Since(begun); made < 9 || took < 8*time.Second || took > 11*time.Second {
			t.Errorf("%d attempts within %v", made, took)
		}
		s.set(func() { s.refuse = nil })
		begun = time.Now()
		if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); err != nil || time.Since(begun) > time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

// A server that hangs while it is connected again does not hold a caller for as long as
// one that has never been there may.
func TestPatienceWithAServerThatWasLost(t *testing.T) {
	s := newStage()
	s.deaf["tools/list"] = true
	server := s.config()
	server.ConnectTimeout = time.Minute
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		wait := func(want time.Duration, reason string) {
			t.Helper()
			begun := time.Now()
			_, err := c.Call(t.Context(), "stage", "ping", nil, nil)
			if took := time.Since(begun).Round(time.Second); took != want || !errors.Is(err, mcpclient.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
				t.Errorf("after %v: %v", took, err)
			}
		}
		wait(50*time.Second, "did not get ready within 1m0s") // Connect has waited for 10 s
		wait(10*time.Second, "is being connected again, and was not within 10s; before that: the server did not get ready")
		begun := time.Now()
		if err := c.Wake(t.Context(), "stage"); err != nil || time.Since(begun) != 10*time.Second {
			t.Errorf("Wake after %v: %v", time.Since(begun), err)
		}
	})
}

func TestWake(t *testing.T) {
	s := newStage()
	s.refuse = errors.New("no power")
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		time.Sleep(time.Hour)
		before := len(s.attempts())
		if err := c.Settle(t.Context(), "stage"); err != nil || len(s.attempts()) != before {
			t.Errorf("Settle: %v", err)
		}
		if err := c.Wake(t.Context(), "stage"); err != nil || len(s.attempts()) != before+1 {
			t.Errorf("Wake: %v", err)
		}
		s.set(func() { s.refuse = nil })
		if err := c.Wake(t.Context(), "stage"); err != nil || c.Status()[0].State != mcpclient.StateReady {
			t.Errorf("Wake: %v, %+v", err, c.Status()[0])
		}
	})
}

func TestAuthenticationIsNotTriedAgain(t *testing.T) {
	for _, code := range []int{401, 403} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			s := newStage()
			s.refuse = mcpclient.StatusError(code, "")
			bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
				time.Sleep(24 * time.Hour)
				wantState(t, c, mcpclient.StateFailed, fmt.Sprint(code))
				if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) {
					t.Errorf("error %v", err)
				}
				if n := len(s.attempts()); n != 1 {
					t.Errorf("%d attempts", n)
				}
				s.set(func() { s.refuse = nil }) // somebody has renewed the token
				if err := c.Reconnect("stage"); err != nil {
					t.Fatal(err)
				}
				if err := c.Settle(t.Context(), "stage"); err != nil {
					t.Fatal(err)
				}
				wantState(t, c, mcpclient.StateReady)
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	s := newStage()
	s.refuse = mcpclient.StatusError(503, "1800")
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		wantState(t, c, mcpclient.StateBackoff, "503")
		begun := time.Now()
		if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) || time.Since(begun) > 0 {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if err := c.Wake(t.Context(), "stage"); err != nil || time.Since(begun) > 0 {
			t.Errorf("Wake after %v: %v", time.Since(begun), err)
		}
		time.Sleep(time.Hour + time.Minute)
		if n := len(s.attempts()); n != 3 {
			t.Errorf("%d attempts, want one every half hour", n)
		}
	})
}

// Servers are not pinged while they talk, and one that is silent is replaced.
func TestSilentServerIsReplaced(t *testing.T) {
	s := newStage()
	var h history
	bubble(t, s, &mcpclient.Options{OnChange: h.add}, func(t *testing.T, c *mcpclient.Client) {
		for range 30 {
			time.Sleep(20 * time.Second)
			if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.count("ping"); n != 0 {
			t.Errorf("%d pings of a server that talks", n)
		}
		s.set(func() { s.deaf["ping"] = true })
		time.Sleep(time.Minute + 15*time.Second)
		wantState(t, c, mcpclient.StateDegraded, "does not answer")
		s.set(func() { s.deaf["ping"] = false })
		time.Sleep(time.Minute)
		wantState(t, c, mcpclient.StateReady)
		if n := len(s.attempts()); n != 1 {
			t.Errorf("%d attempts: one silent moment ended the connection", n)
		}
		s.set(func() { s.deaf["ping"], s.deaf["tools/list"] = true, true })
		time.Sleep(5 * time.Minute)
		if n := len(s.attempts()); n < 2 {
			t.Error("a silent server was not replaced")
		}
		if got := h.String(); !strings.HasPrefix(got, "[ready degraded ready degraded connecting backoff connecting ") {
			t.Errorf("told %s", got)
		}
	})
}

// A ping during a long call that goes unanswered must not end the call (go-sdk#979).
func TestLongCallIsNotKilledByPings(t *testing.T) {
	s := newStage()
	slowTool(s.server, 2*time.Hour)
	s.deaf["ping"] = true
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		result, err := c.Call(t.Context(), "stage", "slow", nil, &mcpclient.CallOptions{Timeout: 3 * time.Hour})
		if err != nil || result.Content[0].Text != "done" {
			t.Errorf("%v, %+v", err, result)
		}
		if n := len(s.attempts()); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
}

// Nor may calls that are given up, and made anew, keep a server that hangs.
func TestImpatientCallsDoNotKeepASilentServer(t *testing.T) {
	s := newStage()
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		s.set(func() { s.deaf["ping"], s.deaf["tools/list"], s.deaf["tools/call"] = true, true, true })
		begun := time.Now()
		var callers sync.WaitGroup
		for i := range 3 {
			callers.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				for time.Since(begun) < 5*time.Minute {
					ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
					_, _ = c.Call(ctx, "stage", "ping", nil, nil)
					cancel()
				}
			})
		}
		callers.Wait()
		if n := len(s.attempts()); n < 2 {
			t.Errorf("%d attempts, the server is %s", n, c.Status()[0].State)
		}
	})
}

// A server that does not know ping lives (go-sdk#897), also if it does not say so.
func TestPeerWithoutPing(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("deaf is %v", deaf), func(t *testing.T) {
			s := newStage()
			s.lacks["ping"], s.deaf["ping"] = !deaf, deaf
			bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
				time.Sleep(time.Hour)
				wantState(t, c, mcpclient.StateReady)
				if n := len(s.attempts()); n != 1 || s.count("ping") == 0 || deaf && s.count("ping") > 3 {
					t.Errorf("%d attempts, %d pings", n, s.count("ping"))
				}
			})
		})
	}
}

func TestCircuit(t *testing.T) {
	s := newStage()
	bubble(t, s, &mcpclient.Options{HealthInterval: -1, CallTimeout: 4 * time.Second}, func(t *testing.T, c *mcpclient.Client) {
		time.Sleep(2 * time.Minute)
		s.set(func() { s.deaf["tools/call"] = true })
		for i := range 5 {
			if n := len(s.attempts()); n != 1 {
				t.Fatalf("%d attempts after %d calls", n, i)
			}
			if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		wantState(t, c, mcpclient.StateReady) // the connection was stable, so the next one came at once
		if n := len(s.attempts()); n != 2 {
			t.Errorf("%d attempts", n)
		}
		// It is on trial: one more call without an answer, and it rests.
		_, _ = c.Call(t.Context(), "stage", "ping", nil, nil)
		wantState(t, c, mcpclient.StateBackoff, "5 calls in a row had no answer", "did not answer within 4s")
		s.set(func() { s.deaf["tools/call"] = false })
		time.Sleep(time.Second)
		wantState(t, c, mcpclient.StateReady) // half open by itself
		if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); err != nil {
			t.Fatal(err)
		}
		s.set(func() { s.deaf["tools/call"] = true })
		_, _ = c.Call(t.Context(), "stage", "ping", nil, nil)
		wantState(t, c, mcpclient.StateReady) // the answer has closed it
	})
}

func TestManage(t *testing.T) {
	s, other := newStage(), newStage()
	var h history
	bubble(t, s, &mcpclient.Options{OnChange: h.add}, func(t *testing.T, c *mcpclient.Client) {
		if err := c.Add(t.Context(), s.config()); err == nil || !strings.Contains(err.Error(), "used already") {
			t.Errorf("Add: %v", err)
		}
		if err := c.Add(t.Context(), mcpclient.Server{Name: "x"}); err == nil {
			t.Error("Add of nothing")
		}
		second := other.config()
		second.Name = "other"
		if err := c.Add(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), "other", "ping", nil, nil); err != nil {
			t.Error(err)
		}
		if err := c.Remove("other"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), "other", "ping", nil, nil); !errors.Is(err, mcpclient.ErrUnknownServer) {
			t.Errorf("error %v", err)
		}

		if err := c.Disable("stage"); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, mcpclient.StateDisabled)
		if _, err := c.Call(t.Context(), "stage", "ping", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) || !strings.Contains(err.Error(), "is disabled") {
			t.Errorf("error %v", err)
		}
		if err := c.Reconnect("stage"); err != nil || c.Tools("stage") != nil {
			t.Errorf("Reconnect: %v", err)
		}
		time.Sleep(time.Hour)
		if n := len(s.attempts()); n != 1 {
			t.Errorf("%d attempts for a server that is disabled", n)
		}
		for range 2 {
			if err := c.Enable("stage"); err != nil {
				t.Fatal(err)
			}
		}
		wantState(t, c, mcpclient.StateReady)
		if got, want := h.String(), "[ready ready closed disabled connecting ready]"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		for _, change := range []func(string) error{c.Remove, c.Disable, c.Enable, c.Reconnect} {
			if err := change("who"); !errors.Is(err, mcpclient.ErrUnknownServer) {
				t.Errorf("error %v", err)
			}
		}
	})
}

// What is asked of a new connection beside its tools does not keep it from getting ready.
func TestReadyWithoutAnswers(t *testing.T) {
	s := newStage()
	s.server = mcp.NewServer(&mcp.Implementation{Name: "stage", Version: "1"}, &mcp.ServerOptions{
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	})
	text(s.server, "ping", func() string { return "pong" })
	s.server.AddResource(&mcp.Resource{URI: "mem://a", Name: "a"}, nil)
	server := s.config()
	server.LogLevel = mcpclient.LogError
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		for _, uri := range []string{"mem://a", "mem://b"} {
			if err := c.SubscribeResource(t.Context(), "stage", uri, nil); err != nil {
				t.Fatal(err)
			}
		}
		s.set(func() { s.deaf["resources/subscribe"], s.deaf["logging/setLevel"] = true, true })
		if err := c.Reconnect("stage"); err != nil {
			t.Fatal(err)
		}
		if err := c.Settle(t.Context(), "stage"); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, mcpclient.StateReady)
		time.Sleep(time.Minute)
		if n := s.count("resources/subscribe"); n != 4 || len(s.attempts()) != 2 {
			t.Errorf("%d subscriptions on %d connections", n, len(s.attempts()))
		}
	})
}

// A name is free when the host was told that its server is closed, and not before.
func TestRemoveAndAdd(t *testing.T) {
	s := newStage()
	var client *mcpclient.Client
	opts := &mcpclient.Options{OnChange: func(status mcpclient.Status, _ []mcpclient.Tool) {
		if status.State == mcpclient.StateClosed {
			early := make(chan error, 1)
			go func() { early <- client.Add(context.Background(), s.config()) }()
			if err := <-early; err == nil || !strings.Contains(err.Error(), "used already") {
				t.Errorf("Add: %v", err)
			}
		}
	}}
	bubble(t, s, opts, func(t *testing.T, c *mcpclient.Client) {
		client = c
		if err := c.Remove("stage"); err != nil {
			t.Fatal(err)
		}
		if err := c.Disable("stage"); !errors.Is(err, mcpclient.ErrUnknownServer) {
			t.Errorf("Disable: %v", err)
		}
		if err := c.Add(t.Context(), s.config()); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, mcpclient.StateReady)
	})
}

// Reconnect leaves calls that are under way to the old connection.
func TestReconnectDrains(t *testing.T) {
	s := newStage()
	slowTool(s.server, 10*time.Second)
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		done := make(chan error, 1)
		go func() {
			_, err := c.Call(context.Background(), "stage", "slow", nil, nil)
			done <- err
		}()
		time.Sleep(time.Second)
		if err := c.Reconnect("stage"); err != nil {
			t.Fatal(err)
		}
		if err := c.Settle(t.Context(), "stage"); err != nil || len(s.attempts()) != 2 {
			t.Errorf("Settle: %v, %d attempts", err, len(s.attempts()))
		}
		if err := <-done; err != nil {
			t.Errorf("the call that was under way: %v", err)
		}
	})
}

// Whatever is waited for on the old connection, the new one is made at once.
func TestReconnectWhileBusy(t *testing.T) {
	s := newStage()
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		s.set(func() { s.deaf["tools/list"] = true })
		text(s.server, "more", func() string { return "" })
		time.Sleep(5 * time.Second) // its tools are asked for
		s.set(func() { s.deaf["tools/list"] = false })
		asked := time.Now()
		if err := c.Reconnect("stage"); err != nil {
			t.Fatal(err)
		}
		if err := c.Settle(t.Context(), "stage"); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, mcpclient.StateReady)
		if at := s.attempts(); len(at) != 2 || !at[1].Equal(asked) {
			t.Errorf("attempts at %v, asked for at %v", at, asked)
		}
	})
}

// The connections of conversations are replaced also while that for the list is made.
func TestReconnectOfConversations(t *testing.T) {
	s := newStage()
	s.deaf["tools/list"] = true
	server := s.config()
	server.Sharing = mcpclient.SharingPerConversation
	bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
		wantState(t, c, mcpclient.StateConnecting)
		s.set(func() { s.deaf["tools/list"] = false })
		if _, err := c.Call(t.Context(), "stage", "ping", nil, &mcpclient.CallOptions{Conversation: "a"}); err != nil {
			t.Fatal(err)
		}
		if err := c.Reconnect("stage"); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, mcpclient.StateConnecting)
		if n := len(s.attempts()); n != 3 {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestDisableEndsCalls(t *testing.T) {
	s := newStage()
	slowTool(s.server, time.Hour)
	bubble(t, s, nil, func(t *testing.T, c *mcpclient.Client) {
		done := make(chan error, 1)
		go func() {
			_, err := c.Call(context.Background(), "stage", "slow", nil, nil)
			done <- err
		}()
		synctest.Wait()
		if err := c.Disable("stage"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, mcpclient.ErrUnavailable) || !strings.Contains(err.Error(), "was disabled") {
			t.Errorf("error %v", err)
		}
	})
}

// Calls on a connection that is a conversation's own end for the same reasons as others.
func TestEndOfAConversationEndsItsCalls(t *testing.T) {
	for want, end := range map[string]func(*mcpclient.Client) error{
		"the server was disabled":                 func(c *mcpclient.Client) error { return c.Disable("stage") },
		"the conversation's connection was ended": func(c *mcpclient.Client) error { c.Release("a"); return nil },
	} {
		s := newStage()
		slowTool(s.server, time.Hour)
		server := s.config()
		server.Sharing = mcpclient.SharingPerConversation
		bubbleOf(t, server, nil, func(t *testing.T, c *mcpclient.Client) {
			done := make(chan error, 1)
			go func() {
				_, err := c.Call(context.Background(), "stage", "slow", nil, &mcpclient.CallOptions{Conversation: "a"})
				done <- err
			}()
			synctest.Wait()
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			if err := <-done; !errors.Is(err, mcpclient.ErrUnavailable) || errors.Is(err, mcpclient.ErrClosed) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}
