package conductor_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

func inConversation(t testing.TB, c *conductor.Conductor, id string) *conductor.Conversation {
	t.Helper()
	conv, err := c.Conversation(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return conv
}

func workspace(t testing.TB, conv *conductor.Conversation) *conductor.Workspace {
	t.Helper()
	w, err := conv.Workspace(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// contents returns the files of a workspace with their text.
func contents(t testing.TB, w fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(w, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(w, path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWorkspace(t *testing.T) {
	leaktest.Check(t)
	dir := filepath.Join(t.TempDir(), "made", "by New")
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: dir}})
	// Names that would be something else as a path.
	for _, id := range []string{"../../../escape", "a/b\\c:d", "CON", "会話 …", strings.Repeat("x", conversation.MaxIDLength), "A", "a"} {
		t.Run(fmt.Sprintf("%.10q", id), func(t *testing.T) {
			conv := inConversation(t, c, id)
			result := execute(t, conv, `
				await Deno.mkdir("out");
				await Deno.writeTextFile("out/a.txt", "hello");
				await Deno.writeTextFile("b.txt", "first");
				return [...Deno.readDirSync(".")].map((e) => e.name).sort();`)
			if string(result.Value) != `["b.txt","out"]` {
				t.Fatal(result.Text())
			}
			if diff := cmp.Diff([]conductor.FileChange{{Path: "b.txt", Change: "created", Bytes: 5}, {Path: "out/a.txt", Change: "created", Bytes: 5}}, result.Files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if want := "files:\n  created b.txt (5 bytes)\n  created out/a.txt (5 bytes)\n"; !strings.HasSuffix(result.Text(), want) {
				t.Errorf("text is\n%s", result.Text())
			}
			result = execute(t, conv, `Deno.removeSync("out/a.txt"); Deno.writeTextFileSync("b.txt", "second"); return Deno.readTextFileSync("b.txt")`)
			if diff := cmp.Diff([]conductor.FileChange{{Path: "b.txt", Change: "changed", Bytes: 6}, {Path: "out/a.txt", Change: "removed"}}, result.Files); diff != "" || string(result.Value) != `"second"` {
				t.Errorf("%s\nfiles (-want +got):\n%s", result.Text(), diff)
			}
			if diff := cmp.Diff(map[string]string{"b.txt": "second"}, contents(t, workspace(t, conv))); diff != "" {
				t.Errorf("what the host sees (-want +got):\n%s", diff)
			}
			if result := execute(t, conv, "return 1"); result.Files != nil || strings.Contains(result.Text(), "files") {
				t.Errorf("a program that changes nothing: %+v", result.Files)
			}
			if err := c.DeleteConversation(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if left := contents(t, workspace(t, conv)); len(left) != 0 {
				t.Errorf("after the conversation was deleted: %v", left)
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 7 {
		t.Errorf("%d folders, %v; want 7", len(entries), err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "escape")); err == nil {
		t.Error("an id was taken for a path")
	}
}

// A program reaches its own folder and nothing else.
func TestWorkspaceIsAllThereIs(t *testing.T) {
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir()}})
	other := workspace(t, inConversation(t, c, "other"))
	if err := other.WriteFile("secret.txt", []byte("s3cret")); err != nil {
		t.Fatal(err)
	}
	conv := inConversation(t, c, "mine")
	for _, code := range []string{
		`return Deno.readTextFileSync("../conversation")`,
		`return [...Deno.readDirSync("..")]`,
		`return [...Deno.readDirSync("../..")]`,
		`return Deno.readTextFileSync("/etc/passwd")`,
		`Deno.writeTextFileSync("../x", "x")`,
		`Deno.symlinkSync("/etc/passwd", "link")`,
		`Deno.renameSync(".", "../files2")`,
	} {
		result := execute(t, conv, code)
		if result.Phase != sandbox.PhaseRuntimeError || !strings.Contains(result.Error.Message, "NotCapable") || !strings.Contains(result.Error.Hint, "in its working folder") {
			t.Errorf("%s: %s", code, result.Text())
		}
	}
}

func TestWorkspaceQuota(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir(), MaxBytes: 2_000_000, MaxFiles: 50}})
	for _, test := range []struct {
		name, code string
		phase      sandbox.Phase
		want       string // in the message
		kept       []string
	}{
		{"bytes at the end", `for (let i = 0; i < 3; i++) Deno.writeFileSync("f" + i, new Uint8Array(900_000));`, sandbox.PhaseKilled,
			" bytes in 4 files and folders, at most 2000000 bytes in 50 files and folders are allowed; what it had written was removed: f0", []string{"f1", "f2", "old"}},
		{"bytes in the middle", `for (let i = 0; ; i++) { Deno.writeFileSync("f" + i % 40, new Uint8Array(100_000)); await new Promise((r) => setTimeout(r, 1)); }`, sandbox.PhaseKilled,
			"the program was stopped: its folder held ", nil},
		{"files", `for (let i = 0; i < 60; i++) Deno.writeTextFileSync("f" + i, ""); Deno.writeTextFileSync("old", "new")`, sandbox.PhaseKilled,
			"the program was stopped: its folder held ", nil},
		{"very many files", `for (let i = 0; i < 3000; i++) Deno.writeTextFileSync("f" + i, ""); await new Promise(() => setTimeout(() => {}, 60_000));`, sandbox.PhaseKilled,
			"and ", nil},
		{"folders", `for (let i = 0; i < 300; i++) Deno.mkdirSync("d" + i + "/e/f", { recursive: true })`, sandbox.PhaseKilled,
			"files and folders", nil},
		{"one large file", `Deno.writeFileSync("large", new Uint8Array(9_000_000))`, sandbox.PhaseKilled,
			" bytes in 2 files and folders, at most 2000000 bytes", nil},
		{"within", `for (let i = 0; i < 40; i++) Deno.writeFileSync("f" + i, new Uint8Array(40_000));`, sandbox.PhaseOK, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			conv := inConversation(t, c, test.name)
			w := workspace(t, conv)
			if err := w.WriteFile("old", []byte("old")); err != nil {
				t.Fatal(err)
			}
			result := execute(t, conv, test.code)
			if result.Phase != test.phase || test.want != "" && !strings.Contains(result.Error.Message, test.want) {
				t.Fatalf("%s\nwant %s: %s", result.Text(), test.phase, test.want)
			}
			var bytes int
			var names []string
			for name, text := range contents(t, w) {
				bytes += len(text)
				names = append(names, name)
			}
			slices.Sort(names)
			if bytes > 2_000_000 || len(names) > 50 || !slices.Contains(names, "old") || test.kept != nil && !slices.Equal(names, test.kept) {
				t.Errorf("%d bytes are left, in %v", bytes, names)
			}
			if result := execute(t, conv, `for (const e of Deno.readDirSync(".")) Deno.removeSync(e.name, { recursive: true }); Deno.writeTextFileSync("x", "x"); return 1`); string(result.Value) != "1" {
				t.Errorf("the next program: %s", result.Text())
			}
		})
	}
}

// Of several programs at once each one hears why it was stopped, and there is room after
// them.
func TestWorkspaceQuotaOfSeveral(t *testing.T) {
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: t.TempDir(), MaxBytes: 2_000_000}})
	conv := newConversation(t, c)
	var programs sync.WaitGroup
	for i := range 4 {
		programs.Go(func() {
			result, err := conv.Execute(context.Background(), fmt.Sprintf(`for (let i = 0; ; i++) { Deno.writeFileSync("%d-" + i, new Uint8Array(50_000)); await new Promise((r) => setTimeout(r, 5)); }`, i), nil)
			if err != nil || result.Phase != sandbox.PhaseKilled || !strings.Contains(result.Error.Message, "its folder held") {
				t.Errorf("%v, %v", result, err)
			}
		})
	}
	programs.Wait()
	bytes := 0
	for _, text := range contents(t, workspace(t, conv)) {
		bytes += len(text)
	}
	if bytes > 2_000_000 {
		t.Errorf("%d bytes are left", bytes)
	}
}

// A folder that is over its quota already, by somebody else's doing, can be cleared by
// a program, and gets no fuller.
func TestWorkspaceOverQuotaBefore(t *testing.T) {
	dir := t.TempDir()
	large := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: dir}})
	if err := workspace(t, inConversation(t, large, "a")).WriteFile("big", make([]byte, 3_000_000)); err != nil {
		t.Fatal(err)
	}
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: dir, MaxBytes: 1_000_000}})
	conv := inConversation(t, c, "a")
	if result := execute(t, conv, `Deno.writeTextFileSync("more", "x")`); result.Phase != sandbox.PhaseKilled || !strings.HasSuffix(result.Error.Message, "was removed: more") {
		t.Errorf("writing more: %s", result.Text())
	}
	if result := execute(t, conv, `Deno.removeSync("big")`); result.Phase != sandbox.PhaseOK {
		t.Errorf("removing: %s", result.Text())
	}
	if result := execute(t, conv, `Deno.writeTextFileSync("more", "x")`); result.Phase != sandbox.PhaseOK {
		t.Errorf("writing then: %s", result.Text())
	}
}

func TestWorkspaceForItsHost(t *testing.T) {
	dir := t.TempDir()
	c := newConductor(t, &conductor.Options{LazySandbox: true, Workspaces: conductor.Workspaces{Dir: dir, MaxBytes: 1000, MaxFiles: 10}})
	w := workspace(t, inConversation(t, c, "a"))
	for name, text := range map[string]string{"a.txt": "a", "in/b.txt": "b", "in/side/c.txt": "c"} {
		if err := w.WriteFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := fstest.TestFS(w, "a.txt", "in/b.txt", "in/side/c.txt"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", ".", "..", "../x", "/x", "a/../../x", "in/", `a\..\..\x` + "/.."} {
		if err := w.WriteFile(name, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("WriteFile(%q): %v", name, err)
		}
		if name == "." {
			continue
		}
		if err := w.Remove(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Remove(%q): %v", name, err)
		}
	}
	if err := w.WriteFile("big", make([]byte, 998)); !errors.Is(err, conductor.ErrQuota) || !strings.Contains(err.Error(), "1001 bytes in 6 files and folders, at most 1000 bytes") {
		t.Errorf("writing too much: %v", err)
	}
	if err := w.WriteFile("a.txt", make([]byte, 998)); err != nil {
		t.Errorf("replacing a file: %v", err)
	}
	if err := w.WriteFile("1/2/3/4/5/6", nil); !errors.Is(err, conductor.ErrQuota) {
		t.Errorf("writing too many folders: %v", err)
	}
	if err := w.Remove("in"); err != nil {
		t.Error(err)
	}
	if err := w.Remove("nothing"); err != nil {
		t.Error(err)
	}
	if err := w.Remove("."); err != nil {
		t.Error(err)
	}
	if left := contents(t, w); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			if err := w.WriteFile(fmt.Sprintf("f%d", i), make([]byte, 100)); err != nil && !errors.Is(err, conductor.ErrQuota) {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if n := len(contents(t, w)); n != 10 {
		t.Errorf("%d files of 100 bytes were written into 1000 bytes, 10 files", n)
	}
}

// Links that lead out are not followed, by whatever they were made.
func TestWorkspaceLinks(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside.txt")
	if err := os.WriteFile(outside, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConductor(t, &conductor.Options{Workspaces: conductor.Workspaces{Dir: dir}})
	conv := inConversation(t, c, "a")
	w := workspace(t, conv)
	inside, err := filepath.Glob(filepath.Join(dir, "*", "files"))
	if err != nil || len(inside) != 1 {
		t.Fatal(inside, err)
	}
	for link, target := range map[string]string{"file": outside, "folder": filepath.Dir(outside), "up": "../.."} {
		if err := os.Symlink(target, filepath.Join(inside[0], link)); err != nil {
			t.Skip(err) // Windows, without the right
		}
	}
	for _, name := range []string{"file", "folder/outside.txt", "up/x"} {
		if data, err := fs.ReadFile(w, name); err == nil {
			t.Errorf("reading %s: %q", name, data)
		}
		if err := w.WriteFile(name, []byte("x")); name != "file" && err == nil {
			t.Errorf("writing %s succeeds", name)
		}
	}
	if data, err := os.ReadFile(outside); err != nil || string(data) != "outside" {
		t.Errorf("the file outside is %q, %v", data, err)
	}
	if _, err := conv.Execute(t.Context(), `return Deno.readTextFileSync("folder/outside.txt")`, nil); err == nil || !strings.Contains(err.Error(), "leads out of the folder") {
		t.Errorf("a program: %v", err)
	}
	for _, name := range []string{"folder", "up"} {
		if err := w.Remove(name); err != nil {
			t.Error(err)
		}
	}
	if result := execute(t, conv, `return Deno.readTextFileSync("file")`); string(result.Value) != `"x"` {
		t.Errorf("a link that was replaced by a file: %s", result.Text())
	}
}

// A workspace lives as long as its conversation, and no longer.
func TestWorkspaceExpires(t *testing.T) {
	leaktest.Check(t)
	dir := t.TempDir()
	store := conversation.NewMemory(nil)
	opts := &conductor.Options{LazySandbox: true, Store: store, KeepConversations: time.Hour, Workspaces: conductor.Workspaces{Dir: dir}}
	c := newConductor(t, opts)
	for _, id := range []string{"expired", "in use", "young"} {
		if err := workspace(t, inConversation(t, c, id)).WriteFile("x", nil); err != nil {
			t.Fatal(err)
		}
	}
	states := conversation.States{Store: store}
	for _, id := range []string{"expired", "young"} {
		if err := states.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	owners, err := filepath.Glob(filepath.Join(dir, "*", "conversation"))
	if err != nil || len(owners) != 3 {
		t.Fatal(owners, err)
	}
	for _, owner := range owners {
		id, err := os.ReadFile(owner)
		if err != nil {
			t.Fatal(err)
		}
		if old := time.Now().Add(-2 * time.Hour); string(id) != "young" {
			if err := os.Chtimes(owner, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	strange := filepath.Join(dir, "somebody's")
	begun, leftOver := filepath.Join(dir, strings.Repeat("0", 32)), filepath.Join(dir, "removed-ABC")
	old := time.Now().Add(-2 * time.Hour)
	for _, folder := range []string{strange, begun, leftOver} {
		if err := errors.Join(os.Mkdir(folder, 0o700), os.Chtimes(folder, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	newConductor(t, opts) // looks when it begins
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left, _ := filepath.Glob(filepath.Join(dir, "*", "conversation")); len(left) == 2 {
			break
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "conversation"))
	if err != nil || len(left) != 2 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := os.Stat(strange); err != nil {
		t.Error("what is not ours was removed")
	}
	for _, folder := range []string{begun, leftOver} {
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if _, err = os.Stat(folder); err != nil {
				break
			}
		}
		if err == nil {
			t.Errorf("%s is left", folder)
		}
	}
}

// A forgetful store calls a function before it says that it knows nothing.
type forgetful struct {
	conversation.Store
	asked func()
}

func (s forgetful) Load(ctx context.Context, key conversation.Key) (*conversation.Record, error) {
	if key.ID == "back" {
		s.asked()
		return nil, conversation.ErrNotFound
	}
	return s.Store.Load(ctx, key)
}

// A conversation that comes back while its workspace is about to be removed keeps it.
func TestWorkspaceComesBack(t *testing.T) {
	dir := t.TempDir()
	store := conversation.NewMemory(nil)
	opts := &conductor.Options{LazySandbox: true, Store: store, KeepConversations: time.Hour, Workspaces: conductor.Workspaces{Dir: dir}}
	for _, id := range []string{"back", "gone"} {
		if err := workspace(t, inConversation(t, newConductor(t, opts), id)).WriteFile("x", nil); err != nil {
			t.Fatal(err)
		}
	}
	states := conversation.States{Store: store}
	if err := states.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	owners, err := filepath.Glob(filepath.Join(dir, "*", "conversation"))
	if err != nil || len(owners) != 2 {
		t.Fatal(owners, err)
	}
	var back string
	for _, owner := range owners {
		if id, err := os.ReadFile(owner); err == nil && string(id) == "back" {
			back = owner
		}
		old := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(owner, old, old); err != nil {
			t.Fatal(err)
		}
	}
	asked := make(chan struct{})
	swept := *opts
	swept.Store = forgetful{store, func() {
		defer close(asked)
		if err := os.Chtimes(back, time.Now(), time.Now()); err != nil { // as a replica does that runs a program of it
			t.Error(err)
		}
	}}
	c := newConductor(t, &swept)
	<-asked
	if err := c.Close(); err != nil { // it waits for the sweep
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(back), "files", "x")); err != nil {
		t.Error(err)
	}
}

func TestWorkspaceRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	both := sandbox.Options{}
	both.Profile.Workspace = t.TempDir()
	for name, opts := range map[string]*conductor.Options{
		"not a folder":   {Workspaces: conductor.Workspaces{Dir: filepath.Join(file, "x")}},
		"negative quota": {Workspaces: conductor.Workspaces{Dir: t.TempDir(), MaxBytes: -1}},
		"two folders":    {Workspaces: conductor.Workspaces{Dir: t.TempDir()}, Sandbox: both},
	} {
		opts.LazySandbox = true
		if _, err := conductor.New(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "Options.Workspaces") {
			t.Errorf("%s: %v", name, err)
		}
	}
	conv := newConversation(t, newConductor(t, &conductor.Options{LazySandbox: true}))
	if _, err := conv.Workspace(t.Context()); !errors.Is(err, conductor.ErrNoWorkspace) {
		t.Errorf("without a folder: %v", err)
	}
}

func ExampleConversation_Workspace() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "workspaces-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c, err := conductor.New(ctx, &conductor.Options{Workspaces: conductor.Workspaces{Dir: dir, MaxBytes: 10_000_000}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "thread-7")
	if err != nil {
		log.Fatal(err)
	}
	workspace, err := conv.Workspace(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := workspace.WriteFile("in/sales.csv", []byte("north,3\nsouth,4\n")); err != nil {
		log.Fatal(err)
	}
	result, err := conv.Execute(ctx, `
		const rows = (await Deno.readTextFile("in/sales.csv")).trim().split("\n");
		const total = rows.reduce((sum, row) => sum + Number(row.split(",")[1]), 0);
		await Deno.writeTextFile("total.txt", String(total));`, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(result.Text())
	total, err := fs.ReadFile(workspace, "total.txt") // it is an fs.FS
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("total:", string(total))
	// Output:
	// ok, without a value
	// files:
	//   created total.txt (1 bytes)
	// total: 7
}
