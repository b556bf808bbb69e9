//go:build unix

package mcpclient_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// Whatever a server does, the one beside it works, and the server itself does so again
// when it can.
func TestFaultsOfProcesses(t *testing.T) {
	short := func(d time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), d)
	}
	tests := []struct {
		tool    string
		timeout time.Duration // of the call
		want    []string      // in its error; none for a result
		unknown bool
		again   bool // the server has to be connected again
	}{
		{"kill", time.Minute, []string{"signal: killed", "may or may not have taken effect, and was not repeated, since the tool does not declare itself"}, true, true},
		{"stop", 200 * time.Millisecond, []string{"deadline exceeded", "may or may not"}, true, true},
		{"garble", time.Minute, []string{"the connection broke", "invalid character"}, true, true},
		{"noise", time.Minute, nil, false, false},
		{"huge", time.Minute, nil, false, false},
		{"flood", time.Minute, []string{"the connection broke"}, true, true},
		{"never", 100 * time.Millisecond, []string{"deadline exceeded"}, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.tool, func(t *testing.T) {
			if testing.Short() && (tt.want == nil || tt.tool == "flood") {
				t.Skip("50 MB take long with the race detector")
			}
			leaktest.Check(t)
			c := connect(t, hasty(t), self("faulty"), self("good"))
			pid := call(t, c, "faulty", "pid", "").Content[0].Text
			ctx, cancel := short(tt.timeout)
			defer cancel()
			if tt.want == nil {
				if _, err := c.Call(ctx, "faulty", tt.tool, nil, nil); err != nil {
					t.Errorf("%.300s", err)
				}
			} else {
				ce := callError(t, ctx, c, "faulty", tt.tool, "")
				wantText(t, ce.Error(), tt.want...)
				if ce.OutcomeUnknown != tt.unknown || ce.Tries != 1 {
					t.Errorf("error %+v", ce)
				}
			}
			call(t, c, "good", "echo", "{}")
			if tt.tool == "stop" { // nobody notices but by asking
				mcpclient.Suspect(c, "faulty")
				reaches(t, c, "faulty", mcpclient.StateDegraded, mcpclient.StateBackoff, mcpclient.StateConnecting)
				eventually(t, "the stopped process is gone", func() bool { return gone(pid) })
			}
			if now := call(t, c, "faulty", "pid", "").Content[0].Text; (now != pid) != tt.again {
				t.Errorf("process %s, before the fault %s", now, pid)
			}
			if s := reaches(t, c, "faulty", mcpclient.StateReady); s.Err != nil || len(s.Stderr) > 3<<10 {
				t.Errorf("status %+v", s)
			}
			call(t, c, "good", "echo", "{}")
		})
	}
}

// A call whose outcome is not known is made again only if its tool says that this does
// no harm.
func TestRepeatedCalls(t *testing.T) {
	for _, tt := range []struct {
		tool    string
		repeats bool
	}{{"read", true}, {"put", true}, {"append", false}} {
		t.Run(tt.tool, func(t *testing.T) {
			dir := t.TempDir()
			leaktest.Check(t)
			s := self("faulty")
			s.Env["CRASHED"] = filepath.Join(dir, "crashed")
			c := connect(t, hasty(t), s)
			if tt.repeats {
				if r := call(t, c, "faulty", tt.tool, ""); r.Content[0].Text != "done" {
					t.Errorf("result %+v", r)
				}
				return
			}
			if ce := callError(t, testContext(t), c, "faulty", tt.tool, ""); !ce.OutcomeUnknown || ce.Tries != 1 {
				t.Errorf("error %+v", ce)
			}
		})
	}
}

// Nor is one made again on a connection of a conversation: the new server would answer
// from what the old one has not left.
func TestRepeatedCallsOfAConversation(t *testing.T) {
	dir := t.TempDir()
	leaktest.Check(t)
	s := self("faulty")
	s.Env["CRASHED"] = filepath.Join(dir, "crashed")
	s.Sharing = mcpclient.SharingPerConversation
	c := connect(t, hasty(t), s)
	_, err := c.Call(testContext(t), "faulty", "read", nil, &mcpclient.CallOptions{Conversation: "a"})
	var ce *mcpclient.CallError
	if !errors.As(err, &ce) || !ce.OutcomeUnknown || ce.Tries != 1 {
		t.Fatalf("error %v", err)
	}
	wantText(t, err.Error(), "what the server keeps for this conversation may be lost")
}

// A tool that may be repeated, of a server that dies each time: twice, and no more.
func TestRepeatedInVain(t *testing.T) {
	dir := t.TempDir()
	leaktest.Check(t)
	s := self("faulty")
	s.Env["CRASHED"] = filepath.Join(dir, "no such folder", "crashed")
	c := connect(t, hasty(t), s)
	ce := callError(t, testContext(t), c, "faulty", "read", "")
	wantText(t, ce.Error(), "signal: killed", "may or may not", "it was tried 2 times, as the tool declares itself read-only or idempotent")
	if !ce.OutcomeUnknown || ce.Tries != 2 {
		t.Errorf("error %+v", ce)
	}
}

// Servers that never work are tried again and again, and hold up nobody.
func TestFaultsOfStarting(t *testing.T) {
	leaktest.Check(t)
	silent := self("silent")
	silent.ConnectTimeout = 50 * time.Millisecond
	c := connect(t, hasty(t), self("exits"), silent, self("nolist"), self("closes"), self("good"))
	for _, tt := range []struct{ server, want string }{
		{"exits", "API_KEY is not set"}, {"silent", "did not get ready within 50ms"},
		{"nolist", "listing the tools: server answered with error -32603: fetch failed"}, {"closes", "closed its standard output"},
	} {
		s := reaches(t, c, tt.server, mcpclient.StateBackoff)
		wantText(t, s.Err.Error(), tt.want)
		eventually(t, "it is tried again and again", func() bool {
			s := reaches(t, c, tt.server, mcpclient.StateBackoff)
			call(t, c, "good", "echo", "{}")
			return s.Failures >= 3
		})
	}
}

func TestResultThatIsTooLarge(t *testing.T) {
	leaktest.Check(t)
	opts := hasty(t)
	opts.MaxResultBytes = 1 << 10
	c := connect(t, opts, self("good"))
	ce := callError(t, testContext(t), c, "good", "echo", `{"a":"`+strings.Repeat("x", 1<<10)+`"}`)
	if ce.OutcomeUnknown {
		t.Errorf("error %+v", ce)
	}
	wantText(t, ce.Error(), "bytes, at most 1024 are taken")
	call(t, c, "good", "echo", "{}")
}

// Nothing may be left of 500 lost connections.
func TestFiveHundredLosses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	leaktest.Check(t)
	c := connect(t, hasty(t), self("faulty"), self("good"))
	for i := range 500 {
		var err error
		switch i % 4 {
		case 0, 1:
			_, err = c.Call(testContext(t), "faulty", []string{"kill", "garble"}[i%2], nil, nil)
			if errors.Is(err, mcpclient.ErrUnavailable) {
				err = nil
			} else {
				err = fmt.Errorf("got %w, want that the connection is lost", err)
			}
		case 2:
			err = c.Reconnect("faulty")
		case 3:
			err = errors.Join(c.Disable("faulty"), c.Enable("faulty"))
		}
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		call(t, c, "good", "echo", "{}")
		if err := c.Wake(testContext(t), "faulty"); err != nil {
			t.Fatal(err)
		}
	}
	call(t, c, "faulty", "pid", "")
}

func TestAnswerThatTrickles(t *testing.T) {
	leaktest.Check(t)
	c := connect(t, hasty(t), self("trickle"), self("good"))
	done := make(chan string, 1)
	go func() {
		r, err := c.Call(context.Background(), "trickle", "slow", nil, nil)
		if err != nil {
			done <- err.Error()
			return
		}
		done <- r.Content[0].Text
	}()
	for answered := 0; ; answered++ {
		select {
		case got := <-done:
			if got != "at last" || answered == 0 {
				t.Errorf("got %q, after %d calls of the other server", got, answered)
			}
			return
		default:
			call(t, c, "good", "echo", "{}")
		}
	}
}
