package conductor_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// A program that waits for its turn has nothing to do with what is written meanwhile.
func TestWorkspaceQuotaWhileWaiting(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{
		Workspaces: conductor.Workspaces{Dir: t.TempDir(), MaxBytes: 1_000_000},
		Sandbox:    sandbox.Options{MaxRuns: 1},
	})
	conv := newConversation(t, c)
	began := make(chan struct{})
	var programs sync.WaitGroup
	programs.Go(func() {
		result, err := conv.Execute(context.Background(), `
			console.log("began");
			await new Promise((r) => setTimeout(r, 300));
			for (let i = 0; i < 3; i++) Deno.writeFileSync("f" + i, new Uint8Array(900_000));
			await new Promise((r) => setTimeout(r, 20_000));`,
			&conductor.ExecuteOptions{OnLog: func(sandbox.Log) { close(began) }})
		if err != nil || result.Phase != sandbox.PhaseKilled || !strings.Contains(result.Error.Message, "its folder held") {
			t.Errorf("the one that writes: %+v, %v", result, err)
		}
	})
	<-began
	for range 4 {
		programs.Go(func() {
			result, err := conv.Execute(context.Background(), "return 1", nil)
			if err != nil || string(result.Value) != "1" {
				t.Errorf("one that waited: %+v, %v", result, err)
			}
		})
	}
	programs.Wait()
	if runs := conv.Savings().Requests; runs != 5 {
		t.Errorf("%d runs are remembered, want 5", runs)
	}
}

// Programs that make folders of files and files of folders do no harm to others.
func TestWorkspaceInMotion(t *testing.T) {
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir()}})
	conv := newConversation(t, c)
	done := make(chan struct{})
	var programs sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		programs.Go(func() {
			result, err := conv.Execute(context.Background(), fmt.Sprintf(`
				const n = 20, me = %q;
				for (const end = Date.now() + 3000; Date.now() < end;) {
					for (let i = 0; i < n; i++) { Deno.mkdirSync(me + i + "/sub", { recursive: true }); Deno.writeTextFileSync(me + i + "/sub/f", "x"); }
					for (let i = 0; i < n; i++) { Deno.removeSync(me + i, { recursive: true }); Deno.writeTextFileSync(me + i, ""); }
					for (let i = 0; i < n; i++) Deno.removeSync(me + i);
				}
				return 1`, name), nil)
			if err != nil || result.Phase != sandbox.PhaseOK {
				t.Errorf("%s: %+v, %v", name, result, err)
			}
		})
	}
	go func() {
		programs.Wait()
		close(done)
	}()
	for running := true; running; {
		if result := execute(t, conv, "return 1"); result.Phase != sandbox.PhaseOK {
			t.Error(result.Text())
		}
		select {
		case <-done:
			running = false
		default:
		}
	}
}

// Paths that the operating system does not accept are over the quota, and go.
func TestWorkspacePathsTooLong(t *testing.T) {
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir()}})
	conv := newConversation(t, c)
	result := execute(t, conv, `
		const path = (c) => Array(15).fill(c.repeat(200)).join("/");
		Deno.mkdirSync(path("a"), { recursive: true });
		Deno.mkdirSync(path("b"), { recursive: true });
		Deno.renameSync("b".repeat(200), path("a") + "/b");
		Deno.writeTextFileSync("kept", "x");`)
	if result.Phase != sandbox.PhaseKilled || !strings.Contains(result.Error.Message, "1 of them with a path of more than 1024 bytes") {
		t.Error(result.Text())
	}
	if result := execute(t, conv, `return Deno.readTextFileSync("kept")`); string(result.Value) != `"x"` {
		t.Error(result.Text())
	}
	w := workspace(t, conv)
	if err := w.WriteFile("file", nil); err != nil {
		t.Error(err)
	}
	if err := w.WriteFile(strings.Repeat("d/", 600)+"file", nil); err == nil || !strings.Contains(err.Error(), "1024 bytes") {
		t.Errorf("writing a path of 1204 bytes: %v", err)
	}
	if err := c.DeleteConversation(t.Context(), conv.ID()); err != nil {
		t.Error(err)
	}
}

// Files that have no name any more take room too.
func TestWorkspaceQuotaOfUnlinked(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("they are seen on Linux only")
	}
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir(), MaxBytes: 1_000_000}})
	conv := newConversation(t, c)
	if err := workspace(t, conv).WriteFile("old", nil); err != nil {
		t.Fatal(err)
	}
	result := execute(t, conv, `
		const files = [];
		for (let i = 0; i < 3; i++) {
			const file = Deno.openSync("f" + i, { write: true, create: true });
			Deno.removeSync("f" + i);
			file.writeSync(new Uint8Array(900_000));
			files.push(file);
		}
		await new Promise((r) => setTimeout(r, 20_000));`)
	if result.Phase != sandbox.PhaseKilled || !strings.Contains(result.Error.Message, "2700000 of them in open files that were removed") {
		t.Error(result.Text())
	}
	if result := execute(t, conv, `
		const file = Deno.openSync("f", { write: true, create: true });
		Deno.removeSync("f");
		file.writeSync(new Uint8Array(900_000));
		await new Promise((r) => setTimeout(r, 500));`); result.Phase != sandbox.PhaseOK {
		t.Errorf("within the quota: %s", result.Text())
	}
}

// What the host writes while a program runs is not the program's.
func TestWorkspaceHostWritesMeanwhile(t *testing.T) {
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir(), MaxBytes: 1_000_000}})
	conv := newConversation(t, c)
	w := workspace(t, conv)
	began, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		<-began
		if err := w.WriteFile("in/upload", make([]byte, 700_000)); err != nil {
			t.Error(err)
		}
	}()
	result, err := conv.Execute(t.Context(), `
		Deno.mkdirSync("in/own", { recursive: true });
		console.log("began");
		for (;;) {
			try { if (Deno.statSync("in/upload").size > 0) break; } catch { await new Promise((r) => setTimeout(r, 10)); }
		}
		Deno.writeFileSync("in/own/f", new Uint8Array(400_000));
		await new Promise((r) => setTimeout(r, 20_000));`,
		&conductor.ExecuteOptions{OnLog: func(sandbox.Log) { close(began) }})
	<-written
	if err != nil || result.Phase != sandbox.PhaseKilled || !strings.HasSuffix(result.Error.Message, "was removed: in/own/f") || len(result.Files) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if files := contents(t, w); len(files) != 1 || len(files["in/upload"]) != 700_000 {
		t.Errorf("%d files are left", len(files))
	}
}
