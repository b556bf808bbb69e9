package conductor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	_ "github.com/conductor/conductor/conversation/redisstore"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/redistest"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// The test binary as a replica of a chat backend, on the store that replicaVariable
// names: it obeys commands on standard input, one JSON value a line, and answers each
// with one. With randomVariable it takes turns of its own until it is killed.
const (
	replicaVariable = "CONDUCTOR_TEST_REPLICA"
	randomVariable  = "CONDUCTOR_TEST_RANDOM" // the conversation
)

type replicaCommand struct{ Conversation, Load, Run string }

type replicaAnswer struct {
	Text  string
	Phase sandbox.Phase
	Error string
}

const replicaTools = 300

// bulk is a server with many tools of which no result is declared.
func bulk() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "bulk", Version: "1"}, nil)
	for i := range replicaTools {
		offer(s, fmt.Sprintf("tool%d", i), "A tool", `{"type":"object","properties":{"n":{"type":"integer"}}}`, func(_ context.Context, args object) *mcp.CallToolResult {
			return text(`{"items":[{"size":1}]}`)
		})
	}
	return s
}

func replicaMain(store string) error {
	defer conductor.SetSharing(50*time.Millisecond, 5)()
	ctx := context.Background()
	client, server := mcp.NewInMemoryTransports()
	go func() { _ = bulk().Run(ctx, server) }() // to the end of the process
	c, err := conductor.New(ctx, &conductor.Options{
		Servers: []mcpclient.Server{{Name: "bulk", Transport: client}}, StoreURL: store, LazySandbox: true,
		Sandbox: sandbox.Options{TypeCheck: sandbox.TypeCheckOff, PoolSize: 1},
	})
	if err != nil {
		return err
	}
	if id := os.Getenv(randomVariable); id != "" {
		return randomTurns(ctx, c, id)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var command replicaCommand
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			return err
		}
		answer := obey(ctx, c, command)
		line, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", line)
	}
	return errors.Join(lines.Err(), c.Close())
}

func obey(ctx context.Context, c *conductor.Conductor, command replicaCommand) (answer replicaAnswer) {
	conv, err := c.Conversation(ctx, command.Conversation)
	switch {
	case err != nil:
	case command.Load != "":
		var loaded *conductor.LoadResult
		if loaded, err = conv.LoadToolSpec(ctx, command.Load); err == nil {
			answer.Text = loaded.Text()
		}
	default:
		var result *conductor.Result
		if result, err = conv.Execute(ctx, command.Run, nil); err == nil {
			answer.Text, answer.Phase = result.Text(), result.Phase
		}
	}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}

// randomTurns loads tools, and now and then runs a program. It writes a line for each
// tool that is loaded as far as its user can know.
func randomTurns(ctx context.Context, c *conductor.Conductor, id string) error {
	conv, err := c.Conversation(ctx, id)
	if err != nil {
		return err
	}
	for turn := 0; ; turn++ {
		name := fmt.Sprintf("bulk.tool%d", rand.IntN(replicaTools))
		if _, err := conv.LoadToolSpec(ctx, name); err != nil {
			return err
		}
		fmt.Println(name)
		if turn%4 == 3 {
			_, tool, _ := strings.Cut(name, ".")
			result, err := conv.Execute(ctx, fmt.Sprintf("import { %s } from './mcp/bulk';\nreturn %s({})", tool, tool), nil)
			if err != nil {
				return err
			}
			if result.Phase != sandbox.PhaseOK {
				return errors.New(result.Text())
			}
		}
	}
}

// A replica is such a process.
type replica struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *strings.Builder // to be read after the end
}

func startReplica(t testing.TB, store string, env ...string) *replica {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{cmd: exec.Command(self), stderr: &strings.Builder{}}
	r.cmd.Env = append(append(os.Environ(), replicaVariable+"="+store, "GORACE=atexit_sleep_ms=0"), env...)
	r.cmd.Stderr = r.stderr
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdout = bufio.NewReader(stdout)
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) do(t *testing.T, command replicaCommand) replicaAnswer {
	t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	var answer replicaAnswer
	if _, err := fmt.Fprintf(r.stdin, "%s\n", line); err != nil {
		t.Fatal(err)
	}
	reply, err := r.stdout.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(reply, &answer)
	}
	if err != nil {
		_ = r.cmd.Wait()
		t.Fatalf("the replica does not answer: %v\n%s", err, r.stderr)
	}
	if answer.Error != "" {
		t.Fatalf("%+v: %s", command, answer.Error)
	}
	return answer
}

// needSandbox skips where there is no Deno; under CI that is a failure.
func needSandbox(t *testing.T) {
	t.Helper()
	if _, err := sandbox.InstallDeno(t.Context(), nil); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("this test needs Deno: %v", err)
		}
		t.Fatal(err)
	}
}

// Two processes on one store alternate the turns of one conversation, and both learn
// what the results of tools look like.
func TestTwoProcesses(t *testing.T) {
	needSandbox(t)
	leaktest.Check(t)
	for name, store := range map[string]string{"redis": redistest.Start(t), "folder": filepath.Join(t.TempDir(), "store")} {
		t.Run(name, func(t *testing.T) {
			replicas := []*replica{startReplica(t, store), startReplica(t, store)}
			const rounds = 6
			for i := range rounds {
				r, other := replicas[i%2], replicas[(i+1)%2]
				tool := fmt.Sprintf("tool%d", i)
				r.do(t, replicaCommand{Conversation: "a", Load: "bulk." + tool})
				code := fmt.Sprintf("return (await b.%s({})).items.length", tool)
				if i == 0 {
					code = "import * as b from './mcp/bulk';\n" + code
				}
				// What one has loaded and imported, the other may use.
				if a := other.do(t, replicaCommand{Conversation: "a", Run: code}); a.Phase != sandbox.PhaseOK || a.Text != "1\n" {
					t.Fatalf("turn %d: %s", i, a.Text)
				}
			}
			// Each has seen half of the tools answer, and knows of all.
			for i := range rounds {
				for n, r := range replicas {
					want := "Observed from 1 successful call"
					for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
						a := r.do(t, replicaCommand{Conversation: "b", Load: fmt.Sprintf("bulk.tool%d", i)})
						if strings.Contains(a.Text, want) && strings.Contains(a.Text, "size: number") {
							break
						}
						if time.Now().After(deadline) {
							t.Fatalf("replica %d has not learned what tool%d returns:\n%s", n, i, a.Text)
						}
					}
				}
			}
			for _, r := range replicas {
				if err := r.stdin.Close(); err != nil {
					t.Error(err)
				}
				if err := r.cmd.Wait(); err != nil {
					t.Errorf("%v\n%s", err, r.stderr)
				}
			}
			opened, err := conversation.Open(t.Context(), store)
			if err != nil {
				t.Fatal(err)
			}
			if closer, ok := opened.(io.Closer); ok {
				defer closer.Close()
			}
			state, err := (&conversation.States{Store: opened}).Load(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			if len(state.Loaded) != rounds || state.Counters.Runs != rounds || state.Counters.Calls != rounds || len(state.Bindings) != 1 {
				t.Errorf("after %d turns: %d tools, %d bindings, %+v", rounds, len(state.Loaded), len(state.Bindings), state.Counters)
			}
		})
	}
}

// kills is how often TestKilled kills a replica of each store.
const kills = 100

// A replica that is killed at any time, beside another one, loses no tool that it has
// said to be loaded, and leaves nothing that cannot be read.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 200 processes")
	}
	needSandbox(t)
	leaktest.Check(t)
	t.Run("stores", func(t *testing.T) {
		for name, store := range map[string]string{"redis": redistest.Start(t), "folder": filepath.Join(t.TempDir(), "store")} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				killReplicas(t, store)
			})
		}
	})
}

func killReplicas(t *testing.T, location string) {
	store, err := conversation.Open(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	if closer, ok := store.(io.Closer); ok {
		defer closer.Close()
	}
	states := &conversation.States{Store: store}
	// Two at a time, on a conversation that goes on over ten kills.
	acknowledged := 0
	for round := range kills / 10 {
		id := fmt.Sprintf("conversation %d", round)
		known := map[string]bool{}
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for range 5 {
					tools := killOne(t, location, id)
					state, err := states.Load(t.Context(), id)
					if err != nil && (len(tools) > 0 || !errors.Is(err, conversation.ErrNotFound)) {
						t.Errorf("%s: %v", id, err)
						return
					}
					mu.Lock()
					acknowledged += len(tools)
					for _, tool := range tools {
						known[tool] = true
					}
					mu.Unlock()
					for _, tool := range tools {
						if !state.HasLoaded(tool) {
							t.Errorf("%s: %s was acknowledged, and is not loaded", id, tool)
						}
					}
				}
			})
		}
		group.Wait()
		state, err := states.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for tool := range known {
			if !state.HasLoaded(tool) {
				t.Errorf("%s: %s was acknowledged, and is lost", id, tool)
			}
		}
	}
	t.Logf("%d tools were acknowledged before %d kills", acknowledged, kills)
	if acknowledged < kills/2 {
		t.Errorf("only %d tools were acknowledged before %d kills: they came too early to show anything", acknowledged, kills)
	}
	readable(t, store)
	if folder, ok := store.(*conversation.Folder); ok {
		page, err := folder.List(t.Context(), conversation.KindState, "", conversation.MaxPage)
		if records, _ := filepath.Glob(filepath.Join(location, conversation.KindState, "*", "*.record")); err != nil || len(records) != len(page.Records) {
			t.Errorf("of %d files, %d can be read (%v)", len(records), len(page.Records), err)
		}
	}
}

// killOne starts a replica, kills it in the midst of its turns, and returns the tools
// that it has said to be loaded.
func killOne(t *testing.T, location, id string) []string {
	// What a killed process leaves in its temporary folder is not the matter here.
	r := startReplica(t, location, randomVariable+"="+id, "TMPDIR="+t.TempDir())
	kill := func(most int) {
		time.AfterFunc(time.Duration(rand.IntN(most))*time.Millisecond, func() { _ = r.cmd.Process.Kill() })
	}
	early := rand.IntN(4) == 0 // perhaps before its first turn
	if early {
		kill(200)
	}
	var tools []string
	for {
		line, err := r.stdout.ReadString('\n')
		if err != nil {
			break // also in the midst of a line, which was not yet said
		}
		if tools = append(tools, strings.TrimSpace(line)); len(tools) == 1 && !early {
			kill(150)
		}
	}
	if err := r.cmd.Wait(); err == nil || r.cmd.ProcessState.Exited() {
		t.Errorf("the replica has ended by itself: %v\n%s", err, r.stderr)
	}
	return tools
}

// readable reads all that is stored, whoever has written it.
func readable(t *testing.T, store conversation.Store) {
	for _, kind := range []string{conversation.KindState, "learned-shapes"} {
		for cursor := ""; ; {
			page, err := store.List(t.Context(), kind, cursor, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				loaded, err := store.Load(t.Context(), r.Key)
				if err != nil {
					t.Error(err)
				} else if !json.Valid(loaded.Data) {
					t.Errorf("%v is not JSON", r.Key)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
}
