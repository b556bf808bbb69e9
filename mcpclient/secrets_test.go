package mcpclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// An echoing server answers with errors that have all that it was sent, now and before.
type echoing struct {
	good string // the only token that is taken; empty takes all
	at   string // the method from which on there are errors

	mu   sync.Mutex
	seen []string
}

func (e *echoing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var l line
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	_ = json.NewDecoder(r.Body).Decode(&l)
	if l.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	user, password, _ := r.BasicAuth()
	e.seen = append(e.seen, r.Header.Get("Authorization"), user, password, r.URL.RawQuery)
	if e.good != "" && r.Header.Get("Authorization") != "Bearer "+e.good {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	result := map[string]string{"initialize": hello, "tools/list": `{"tools":[{"name":"only"}]}`}[l.Method]
	if l.Method == e.at || result == "" {
		if l.Method == "initialize" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":%q}}`, l.ID, "I was sent "+strings.Join(e.seen, ", "))
		return
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, l.ID, result)
}

// What a server echoes comes through without the secrets, wherever it appears.
func TestErrorsWithoutSecrets(t *testing.T) {
	header := http.Header{"Authorization": {"Bearer headersecret"}}
	for _, at := range []string{"initialize", "tools/list", "tools/call"} {
		for name, test := range map[string]struct {
			header http.Header
			user   string
		}{"header": {header: header}, "user": {user: "accountname:hunter2secret@"}} {
			t.Run(at+" "+name, func(t *testing.T) {
				leaktest.Check(t)
				address := strings.Replace(listen(t, &echoing{at: at}), "://", "://"+test.user, 1) + "/mcp?key=query%20secret"
				c := connect(t, nil, mcpclient.Server{Name: "x", URL: address, Header: test.header})
				_, err := c.Call(testContext(t), "x", "only", nil, nil)
				text := fmt.Sprintf("%v %+v", err, c.Status())
				wantText(t, text, "I was sent", "[redacted]")
				wantNoText(t, text, "headersecret", "accountname", "hunter2secret", "YWNjb3VudG5hbWU6aHVudGVyMnNlY3JldA==", "query secret", "query%20secret")
			})
		}
	}

	t.Run("tokens of before", func(t *testing.T) {
		leaktest.Check(t)
		e := &echoing{good: "token-number-0"}
		n := 0
		c := ready(t, mcpclient.Server{Name: "x", URL: listen(t, e), Bearer: func(context.Context, string) (string, error) {
			token := fmt.Sprintf("token-number-%d", n)
			n++
			return token, nil
		}})
		e.mu.Lock()
		e.good = "token-number-1"
		e.mu.Unlock()
		_, err := c.Call(testContext(t), "x", "only", nil, nil)
		wantText(t, fmt.Sprint(err), "I was sent")
		wantNoText(t, fmt.Sprint(err), "token-number")
	})

	t.Run("stdio", func(t *testing.T) {
		leaktest.Check(t)
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Skip("no sh")
		}
		b := &syncBuffer{}
		log := slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c := connect(t, &mcpclient.Options{Logger: log}, mcpclient.Server{
			Name: "x", Command: sh, Args: []string{"-c", `echo "the key $API_KEY is bad" >&2; printenv PEM >&2; exit 1`},
			Env: map[string]string{"API_KEY": "environmentsecret", "PEM": "-----\nfirst-line\nsecond-line"},
		})
		_, err = c.Call(testContext(t), "x", "only", nil, nil)
		text := fmt.Sprintf("%v %+v", err, c.Status())
		wantText(t, text, "the key [redacted] is bad")
		wantText(t, b.String(), "the key [redacted] is bad")
		wantNoText(t, text+b.String(), "environmentsecret", "first-line", "second-line")
	})
}
