package conductor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// records is an Audit in memory.
type records struct {
	mu   sync.Mutex
	all  []conductor.AuditRecord
	fail func(*conductor.AuditRecord) error // may be nil
}

func (r *records) Record(_ context.Context, record *conductor.AuditRecord) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(record); err != nil {
			return err
		}
	}
	r.all = append(r.all, *record)
	return nil
}

func TestAudit(t *testing.T) {
	var audit records
	c := newConductor(t, &conductor.Options{
		Servers: []mcpclient.Server{notes(t), fragile(t)},
		Policy: conductor.Policy{Approve: func(_ context.Context, call *conductor.PendingCall) error {
			if call.Tool.Name == "scan" {
				return conductor.Deny("see https://ada:pw@example.com/?token=abc")
			}
			return nil
		}},
		Audit: &audit, AuditArgs: true,
	})
	conv := as(t, newConversation(t, c), "ada@example.com", nil)
	load(t, conv, "notes.add_note", "notes.delete_note", "notes.scan", "fragile.die")
	result := execute(t, conv, `
		import * as notes from "./mcp/notes";
		import * as fragile from "./mcp/fragile";
		await notes.add_note({ text: "key ghp_abcdefghijklmnopqrstuvwxyz0123456789", password: "hunter2" } as any);
		for (const call of [() => notes.delete_note({ id: "7" }), () => notes.scan({}), () => fragile.die({}), () => notes.add_note([1] as any)]) {
			await call().catch(() => {});
		}`)
	if result.Phase != sandbox.PhaseOK {
		t.Fatal(result.Text())
	}
	const u = conductor.AuditStarted
	want := []conductor.AuditRecord{
		{Call: 1, Tool: "notes.add_note", Outcome: u}, {Call: 1, Tool: "notes.add_note", Outcome: conductor.AuditOK},
		{Call: 2, Tool: "notes.delete_note", Outcome: u}, {Call: 2, Tool: "notes.delete_note", Outcome: conductor.AuditToolError},
		{Call: 3, Tool: "notes.scan", Outcome: conductor.AuditDenied, Error: "notes.scan was denied: see https://[redacted]@example.com/?token=[redacted]"},
		{Call: 4, Tool: "fragile.die", Outcome: u}, {Call: 4, Tool: "fragile.die", Outcome: conductor.AuditUnknown},
		{Call: 5, Tool: "notes.add_note", Outcome: u}, {Call: 5, Tool: "notes.add_note", Outcome: conductor.AuditFailed, Error: "calling notes.add_note: the arguments are not a JSON object"},
	}
	few := cmpopts.IgnoreFields(conductor.AuditRecord{}, "Time", "ConversationID", "User", "Run", "ArgsSHA256", "ArgsBytes", "Args", "DurationMS")
	unsaid := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Error" }, cmp.Comparer(func(a, b string) bool {
		return a == b || strings.HasPrefix(a, "calling fragile") || strings.HasPrefix(b, "calling fragile")
	}))
	if diff := cmp.Diff(want, audit.all, few, unsaid); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for i, r := range audit.all {
		ended := r.Outcome != conductor.AuditStarted && r.Outcome != conductor.AuditDenied
		if r.ConversationID != conv.ID() || r.User != "ada@example.com" || r.Run != audit.all[0].Run || r.Run == "" || time.Since(r.Time) > time.Minute || r.DurationMS > 0 && !ended || r.ArgsBytes == 0 {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	first := audit.all[0]
	sum := sha256.Sum256([]byte(`{"text":"key ghp_abcdefghijklmnopqrstuvwxyz0123456789","password":"hunter2"}`))
	if first.ArgsSHA256 != hex.EncodeToString(sum[:]) || string(first.Args) != `{"password":"[redacted]","text":"key [redacted]"}` {
		t.Errorf("arguments %s, hash %s", first.Args, first.ArgsSHA256)
	}
}

// What cannot be recorded does not happen; what has happened stays so.
func TestAuditFails(t *testing.T) {
	full := errors.New("disk full")
	for _, test := range []struct {
		name string
		fail conductor.AuditOutcome
		want string
	}{
		{"before the call", conductor.AuditStarted, `ToolError: notes.add_note was denied: it could not be recorded, and calls that are not recorded are not made here`},
		{"after the call", conductor.AuditOK, `written`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			audit := &records{fail: func(r *conductor.AuditRecord) error {
				if r.Outcome == test.fail {
					return full
				}
				return nil
			}}
			c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t)}, Audit: audit, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			conv := newConversation(t, c)
			load(t, conv, "notes.add_note")
			result := execute(t, conv, `import { add_note } from "./mcp/notes"; return await add_note({ text: "x" }).catch(String)`)
			if want := fmt.Sprintf("%q", test.want); string(result.Value) != want {
				t.Errorf("got %s, want %s", result.Text(), want)
			}
			if !strings.Contains(log.String(), "disk full") {
				t.Errorf("the operator hears nothing of it:\n%s", log.String())
			}
		})
	}
}

// A call that is under way when its program is stopped has an end in the record, too.
func TestAuditOfAStoppedProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	audit := records{fail: func(r *conductor.AuditRecord) error {
		if r.Outcome == conductor.AuditStarted {
			time.AfterFunc(100*time.Millisecond, cancel) // the call is made meanwhile
		}
		return nil
	}}
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t)}, Audit: &audit})
	conv := newConversation(t, c)
	load(t, conv, "notes.wait")
	result, err := conv.Execute(ctx, `import { wait } from "./mcp/notes"; await wait()`, nil)
	if !errors.Is(err, context.Canceled) || result.Phase != sandbox.PhaseCancelled {
		t.Fatal(result, err)
	}
	if len(audit.all) != 2 || audit.all[0].Outcome != conductor.AuditStarted || audit.all[1].Outcome == conductor.AuditStarted {
		t.Errorf("records %+v", audit.all)
	}
}

func TestAuditFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	if err := os.WriteFile(path, []byte(`{"time":"2026-`), 0o600); err != nil { // a machine went down
		t.Fatal(err)
	}
	opts := &conductor.Options{Servers: []mcpclient.Server{notes(t)}, AuditFile: path}
	c := newConductor(t, opts)
	conv := newConversation(t, c)
	load(t, conv, "notes.add_note")
	execute(t, conv, `import { add_note } from "./mcp/notes"; await Promise.all(Array.from({ length: 50 }, (_, i) => add_note({ text: "line\n" + i })))`)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != 101 {
		t.Fatalf("%d lines, want the torn one and 100", len(lines))
	}
	for _, line := range lines[1:] {
		var r conductor.AuditRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Tool != "notes.add_note" || r.Args != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := conductor.New(t.Context(), &conductor.Options{LazySandbox: true, AuditFile: filepath.Join(path, "x")}); err == nil || !strings.Contains(err.Error(), "Options.AuditFile") {
		t.Errorf("New with a file that cannot be made: %v", err)
	}
	if _, err := conductor.New(t.Context(), &conductor.Options{LazySandbox: true, AuditFile: path, Audit: &records{}}); err == nil {
		t.Error("New with two audits succeeds")
	}
}

// failing fails its first write in the middle.
type failing struct {
	bytes.Buffer
	failed bool
}

func (f *failing) Write(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		n, _ := f.Buffer.Write(p[:len(p)/2])
		return n, errors.New("no space left")
	}
	return f.Buffer.Write(p)
}

func TestAuditLogAfterATornLine(t *testing.T) {
	var w failing
	log := conductor.NewAuditLog(&w)
	var errs []error
	for range 3 {
		errs = append(errs, log.Record(t.Context(), &conductor.AuditRecord{Tool: "a.b"}))
	}
	if errs[0] == nil || errs[1] != nil || errs[2] != nil {
		t.Errorf("errors %v", errs)
	}
	lines := strings.Split(strings.TrimSpace(w.String()), "\n")
	if len(lines) != 3 || json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("lines:\n%s", w.String())
	}
}

// A call's number is its place in the ledger, also of calls that are made at once.
func TestAuditNumbers(t *testing.T) {
	var audit records
	c := newConductor(t, &conductor.Options{
		Servers: []mcpclient.Server{notes(t)},
		Policy:  conductor.Policy{Approve: func(context.Context, *conductor.PendingCall) error { return conductor.Deny("no") }},
		Audit:   &audit, AuditArgs: true,
	})
	conv := newConversation(t, c)
	load(t, conv, "notes.add_note")
	execute(t, conv, `import * as notes from "./mcp/notes";
		await Promise.allSettled(Array.from({ length: 100 }, (_, i) => notes.add_note({ text: "number " + (i + 1) })));`)
	if len(audit.all) != 100 {
		t.Fatalf("%d records", len(audit.all))
	}
	for _, r := range audit.all {
		if want := fmt.Sprintf(`{"text":"number %d"}`, r.Call); string(r.Args) != want {
			t.Errorf("call %d has %s", r.Call, r.Args)
		}
	}
}
