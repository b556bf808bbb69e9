package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
)

// A pattern that denies nothing is not passed over.
func TestDoctorPolicy(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := writeConfig(t, `{"policy": {"allow": ["notes.*"], "deny": ["notes.refuze", "*.server_*"]}}`, "notes", as(t, "notes"))
	cli(t, "", "doctor", "--config", config).check(t, exitOK,
		[]string{`doubtful  conductor.policy.deny: "notes.refuze" matches no tool of the servers that work now`, "All is well"}, []string{"connecting to 1 server"})
	cli(t, "", "doctor", "--json", "--config", config).check(t, exitOK, []string{`"doubts": [`}, []string{"connecting"})
}

// Only what is denied goes by the names of functions and of a feature's calls.
func TestIdlePatterns(t *testing.T) {
	offered := []named{{"notes.search-notes", "notes.search_notes"}, {"docs.resources", "docs.resources.read"}}
	patterns := []string{"notes.search-notes", "notes.search_notes", "*.read", "docs.prompts"}
	got := idlePatterns(conductor.Policy{Allow: patterns, Deny: patterns}, offered)
	var idle []string
	for _, text := range got {
		pattern, _, _ := strings.Cut(text, " matches")
		idle = append(idle, strings.TrimPrefix(pattern, "conductor.policy."))
	}
	want := []string{`allow: "notes.search_notes"`, `allow: "*.read"`, `allow: "docs.prompts"`, `deny: "docs.prompts"`}
	if !slices.Equal(idle, want) {
		t.Errorf("got %q, want %q", idle, want)
	}
}

// Everything that the configuration may have is in its help.
func TestConfigHelp(t *testing.T) {
	_, err := conductor.ReadConfig(writeFile(t, "mcp.json", `{"mcpServers": {"a": {"x": 1}}, "conductor": {"x": 1}}`))
	keys := regexp.MustCompile(`the keys here are ([^)]*)`).FindAllStringSubmatch(fmt.Sprint(err), -1)
	if len(keys) != 2 {
		t.Fatalf("no list of keys: %v", err)
	}
	for _, list := range keys {
		for key := range strings.SplitSeq(list[1], ", ") {
			if !regexp.MustCompile(`\b` + key + `\b`).MatchString(configHelp) {
				t.Errorf("%s is not explained", key)
			}
		}
	}
}

// TestDoctorServers has one server that works, and one for each way in which one
// may not.
func TestDoctorServers(t *testing.T) {
	requireDeno(t)
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
	}))
	t.Cleanup(refusing.Close)
	lost := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(lost.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	leaktest.Check(t)

	text := writeFile(t, "text", "no program")
	config := writeConfig(t, `{"connect_timeout": "4s"}`,
		"notes", as(t, "notes"),
		"wrong", `{"command": "no-such-program-here"}`,
		"path", `{"command": "/no/such/program"}`,
		"mode", `{"command": `+encode(t, text)+`}`,
		"folder", `{"command": "cat", "cwd": "nowhere"}`,
		"exits", as(t, "exits"),
		"silent", as(t, "silent"),
		"refusing", `{"url": `+encode(t, refusing.URL)+`, "headers": {"Authorization": "Bearer s3cret-token"}}`,
		"lost", `{"url": `+encode(t, lost.URL)+`}`,
		"gone", `{"url": `+encode(t, gone.URL)+`}`,
		"off", `{"command": "x", "disabled": true}`,
	)
	var progress bytes.Buffer
	r := examine(t.Context(), &streams{stderr: &lockedWriter{w: &progress}}, config, false)
	if r.OK {
		t.Error("the report says that all is well")
	}
	if r.Deno.State != "ok" || r.Program.State != "ok" {
		t.Errorf("Deno %+v, program %+v", r.Deno, r.Program)
	}
	found := map[string]serverReport{}
	for _, s := range r.Servers {
		found[s.Name] = s
	}
	if s := found["notes"]; s.State != "ready" || s.Tools != 4 || s.Server != "notes-server" || s.Reason+s.Advice != "" {
		t.Errorf("notes: %+v", s)
	}
	if s := found["off"]; s.State != "disabled" || s.Reason+s.Advice != "" {
		t.Errorf("off: %+v", s)
	}
	for name, want := range map[string]struct{ reason, stderr, advice string }{
		"wrong":    {"was not found in PATH", "", "install no-such-program-here; or, if it is installed, write its full path into mcpServers.wrong.command"},
		"path":     {"does not exist", "", "check the path in mcpServers.path.command"},
		"mode":     {"may not be executed", "", "make " + text + " executable"},
		"folder":   {"is not a folder", "", "mcpServers.folder.cwd is " + filepath.Join(filepath.Dir(config), "nowhere")},
		"exits":    {"the server process exited (exit status 3)", "FATAL: API_KEY is not set", "hand others over in mcpServers.exits.env"},
		"silent":   {"did not get ready within 4s", "warming up", "raise conductor.connect_timeout, which is 4s"},
		"refusing": {"401 Unauthorized", "", "check mcpServers.refusing.headers"},
		"lost":     {"404", "", "check the path in mcpServers.lost.url"},
		"gone":     {"connection refused", "", "check mcpServers.gone.url, and that the server runs"},
	} {
		s := found[name]
		if s.State != "failed" || !strings.Contains(s.Reason, want.reason) || s.Stderr != want.stderr || !strings.Contains(s.Advice, want.advice) {
			t.Errorf("%s: %+v", name, s)
		}
		if want.stderr != "" && strings.Contains(s.Reason, want.stderr) {
			t.Errorf("%s: the reason repeats the output: %s", name, s.Reason)
		}
	}
	var people bytes.Buffer
	r.print(&people)
	for _, want := range []string{
		"ok        notes     4 tools, stdio, connected in", "failed    wrong     stdio", "| FATAL: API_KEY is not set\n",
		"-> install no-such-program-here", "disabled  off\n", "\n9 servers of 11 cannot be used; the others can.\n",
	} {
		if !strings.Contains(people.String(), want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	if all := people.String() + progress.String() + encode(t, r); strings.Contains(all, "s3cret") {
		t.Error("a secret is told")
	}
	if t.Failed() {
		t.Log(people.String())
	}
}

func TestDoctor(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	cli(t, "", "doctor").check(t, exitOK, []string{"ok        Deno ", "ok        a program ran in ", "All is well."}, nil)
	o := cli(t, "", "doctor", "--config", notesConfig(t), "--json")
	o.check(t, exitOK, []string{"{"}, []string{"connecting to 1 server"})
	document := o.decode(t)
	server := document["servers"].([]any)[0].(map[string]any)
	if document["ok"] != true || document["deno"].(map[string]any)["state"] != "ok" || server["name"] != "notes" || server["tools"] != 4.0 {
		t.Errorf("document: %v", document)
	}
}

func TestDoctorConfigProblems(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := writeFile(t, "mcp.json", `{"mcpServers": {"a": {"comand": "x"}, "b": []}}`)
	cli(t, "", "doctor", "--config", config).check(t, exitFailed,
		[]string{"ok        Deno ", "failed    " + config + ": mcpServers.a.comand", "mcpServers.b: is an array", "conductor help config", "Something is wrong"}, nil)
	o := cli(t, "", "doctor", "--config", config, "--json")
	o.check(t, exitFailed, []string{"{"}, nil)
	document := o.decode(t)
	if problems := document["config"].(map[string]any)["problems"].([]any); document["ok"] != false || len(problems) != 2 {
		t.Errorf("document: %v", document)
	}
}

func TestDoctorWrongDeno(t *testing.T) {
	leaktest.Check(t)
	noDeno(t)
	cli(t, "", "doctor").check(t, exitFailed, []string{"failed    Deno", "the one named by CONDUCTOR_DENO", "-> install npm"}, nil)
}

// TestDoctorDoesNotFetch looks for Deno where there is none, with an npm that
// would leave a trace.
func TestDoctorDoesNotFetch(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("npm is a shell script here")
	}
	leaktest.Check(t)
	bin, home := t.TempDir(), t.TempDir()
	trace := filepath.Join(bin, "was-run")
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\necho > '"+trace+"'\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("CONDUCTOR_DENO", "")
	cli(t, "", "doctor").check(t, exitOK, []string{"absent    Deno", "conductor doctor --fetch"}, nil)
	if _, err := os.Stat(trace); err == nil {
		t.Error("npm was run")
	}
	cli(t, "", "doctor", "--fetch").check(t, exitFailed, []string{"failed    Deno", "npm pack"}, []string{"fetching"})
	if _, err := os.Stat(trace); err != nil {
		t.Error("npm was not run")
	}
}
