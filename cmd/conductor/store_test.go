package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/redistest"
)

// storedConversations returns how many conversations are in a store.
func storedConversations(t *testing.T, location string) int {
	t.Helper()
	c, err := conductor.New(t.Context(), &conductor.Options{LazySandbox: true, StoreURL: location})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	page, err := c.Conversations(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Records)
}

// A conversation that is named goes on in the next process; one that is not is
// forgotten.
func TestExecConversation(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	redis := redistest.Start(t)
	for name, location := range map[string]string{"folder": filepath.Join(t.TempDir(), "store"), "redis": redis} {
		t.Run(name, func(t *testing.T) {
			config := writeConfig(t, `{"store": `+encode(t, location)+`}`, "notes", as(t, "notes"))
			const first, later = `import * as n from "./mcp/notes"; return n.add_note({ text: "a" });`, `return n.add_note({ text: "b" });`
			cli(t, first, "exec", "--config", config, "-").check(t, exitOK, []string{"{\"count\":1}\n"}, nil)
			if n := storedConversations(t, location); n != 0 {
				t.Errorf("%d conversations are stored after one without a name", n)
			}
			cli(t, first, "exec", "--config", config, "--conversation", "desk", "-").check(t, exitOK, []string{"{\"count\":1}\n"}, nil)
			cli(t, later, "exec", "--config", config, "--conversation", "desk", "-").check(t, exitOK, []string{"{\"count\":1}\n"}, nil)
			cli(t, later, "exec", "--config", config, "--conversation", "other", "-").check(t, exitFailed, nil, []string{"Cannot find name 'n'"})
			if n := storedConversations(t, location); n != 2 {
				t.Errorf("%d conversations are stored, want 2", n)
			}
		})
	}
}

func TestConversationNeedsStore(t *testing.T) {
	config := notesConfig(t)
	for _, args := range [][]string{{"exec", "-"}, {"mcp", "start"}} {
		cli(t, "", append(args, "--config", config, "--conversation", "desk")...).check(t, exitUsage, nil, []string{"--conversation needs a store"})
	}
	config = writeConfig(t, `{"store": "s"}`)
	cli(t, "", "mcp", "start", "--config", config, "--conversation", "a\nb").check(t, exitUsage, nil, []string{"invalid id"})
}

func TestStoreIsDown(t *testing.T) {
	leaktest.Check(t)
	config := writeConfig(t, `{"store": "redis://:secret@127.0.0.1:1/0"}`, "notes", as(t, "notes"))
	o := cli(t, "return 1", "exec", "--config", config, "-")
	o.check(t, exitMachinery, nil, []string{"the store: redis at 127.0.0.1:1: "})
	if strings.Contains(o.stderr, "secret") {
		t.Errorf("the password is shown: %s", o.stderr)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config = writeConfig(t, `{"store": `+encode(t, file)+`}`, "notes", as(t, "notes"))
	cli(t, "return 1", "exec", "--config", config, "-").check(t, exitMachinery, nil, []string{"the store: conversations in ", file})
}

func TestDoctorStore(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	redis := redistest.Start(t)
	config := writeConfig(t, `{"store": `+encode(t, redis)+`}`)
	cli(t, "", "doctor", "--config", config).check(t, exitOK, []string{"Store\n  ok        " + redis + ", 0 conversations\n", "All is well"}, []string{"connecting"})
	config = writeConfig(t, `{"store": "redis://:secret@127.0.0.1:1/0"}`, "notes", as(t, "notes"))
	o := cli(t, "", "doctor", "--config", config)
	o.check(t, exitFailed, []string{"Store\n  failed    redis://:xxxxx@127.0.0.1:1/0\n", "connection refused", "-> check conductor.store", "ok        notes"}, []string{"connecting"})
	if strings.Contains(o.stdout+o.stderr, "secret") {
		t.Errorf("the password is shown: %s%s", o.stdout, o.stderr)
	}
}

// A client that starts the server again finds its conversation.
func TestMCPStartConversation(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := writeConfig(t, `{"store": "store"}`, "notes", as(t, "notes"))
	s := start(t, config, "--conversation", "desk")
	_, data, _ := s.call(t, conductor.LoadToolSpecName, object{"names": []string{"notes.add_note"}})
	if data["conversation_id"] != "desk" {
		t.Errorf("conversation %v, want desk", data["conversation_id"])
	}
	if err := s.session.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, config, "--conversation", "desk")
	text, data, _ := s.call(t, conductor.ExecuteCodeName, object{"code": `import * as n from "./mcp/notes"; return n.add_note({ text: "a" })`})
	if data["phase"] != "ok" {
		t.Errorf("the tool is not loaded any more: %s", text)
	}
	if err := s.session.Close(); err != nil {
		t.Fatal(err)
	}
}
