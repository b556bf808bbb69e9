package mcpserver_test

import (
	"context"
	"testing"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// Whoever is asked before a call, and the audit, hear which client it is for.
func TestClientIsTheUser(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	servers := []mcpclient.Server{backend(t.Context(), t, nil)}
	users := make(chan string, 1)
	session, _ := serve(t.Context(), t, func(ctx context.Context) (*conductor.Conductor, error) {
		ask := func(_ context.Context, call *conductor.PendingCall) error {
			users <- call.User
			return conductor.Deny("not now")
		}
		return conductor.New(ctx, &conductor.Options{Servers: servers, Policy: conductor.Policy{Approve: ask}})
	})
	call(t, session, conductor.LoadToolSpecName, object{"names": []string{"numbers.add"}})
	_, _, data := call(t, session, conductor.ExecuteCodeName, object{"code": `import { add } from "./mcp/numbers"; return await add({ a: 1, b: 2 }).catch((e) => e.message)`})
	if data["value"] != "numbers.add was denied: not now" {
		t.Errorf("result %v", data)
	}
	if got := <-users; got != "test" {
		t.Errorf("the user is %q, want the name that the client gives itself", got)
	}
}
