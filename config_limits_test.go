package conductor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
)

func TestReadConfigLimits(t *testing.T) {
	got, err := conductor.ReadConfig(writeConfig(t, server(`{"command": "x", "connect_timeout": "2m", "call_timeout": "10s", "max_call_timeout": "1h",
		"max_concurrency": 4, "sharing": "per-conversation", "max_connections": 3, "idle_timeout": "5m"}`)))
	if err != nil {
		t.Fatal(err)
	}
	want := mcpclient.Server{
		Name: "github", Command: "x", ConnectTimeout: 2 * time.Minute, CallTimeout: 10 * time.Second, MaxCallTimeout: time.Hour,
		MaxConcurrency: 4, Sharing: mcpclient.SharingPerConversation, MaxConnections: 3, IdleTimeout: 5 * time.Minute,
	}
	if diff := cmp.Diff(want, got.Servers[0]); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		`"sharing": "mine"`:       `"mine" is not a choice; want shared or per-conversation`,
		`"max_connections": 3`:    `need "sharing": "per-conversation"`,
		`"max_concurrency": 0`:    "want a whole number from 1",
		`"idle_timeout": "never"`: "is not a duration",
	} {
		_, err := conductor.ReadConfig(writeConfig(t, server(`{"command": "x", `+text+`}`)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", text, err, want)
		}
	}
}
