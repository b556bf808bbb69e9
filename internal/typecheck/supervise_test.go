package typecheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
)

// standInChecker returns a checker whose servers misbehave.
func standInChecker(t *testing.T, how string, opts Options) *Checker {
	t.Helper()
	leaktest.Check(t)
	opts.TSC = standIn(t, how)
	c, err := New(t.Context(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestServerSpeaksNonsense(t *testing.T) {
	for _, test := range []struct{ how, want string }{
		{"huge length", "99999999999"},
		{"negative length", "-1"},
		{"no length", "no length"},
		{"endless header", "headers are too long"},
		{"many headers", "headers are too long"},
		{"invalid JSON", errProtocol.Error()},
		{"wrong id", "4711"},
		{"wrong shape", errProtocol.Error()},
		{"error", "panic handling request"},
		{"exit", "the reason why"},
		{"endless stderr", "xxx"},
		{"closed output", "EOF"},
	} {
		t.Run(test.how, func(t *testing.T) {
			c := standInChecker(t, test.how, Options{Servers: 1})
			_, err := c.Check(t.Context(), program("return 1"))
			mustFail(t, err, ErrUnavailable)
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 2000 {
				t.Errorf("Check: %v, want %q", err, test.want)
			}
		})
	}
}

func TestServerIsOdd(t *testing.T) {
	for _, test := range []struct {
		how  string
		want int
	}{{"questions", 0}, {"many diagnostics", 1}, {"positions", 1}} {
		t.Run(test.how, func(t *testing.T) {
			c := standInChecker(t, test.how, Options{Servers: 1})
			p := program("return 1")
			found, err := c.Check(t.Context(), p)
			if err != nil || len(found) != test.want {
				t.Errorf("Check: %v, %v; want %d diagnostics", found, err, test.want)
			}
		})
	}
	t.Run("two answers", func(t *testing.T) {
		c := standInChecker(t, "two answers", Options{Servers: 1})
		// The first check may be over before the second answer comes.
		for range 5 {
			if _, err := c.Check(t.Context(), program("return 1")); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Errorf("Check: %v", err)
			}
		}
	})
}

func TestServerIsStuck(t *testing.T) {
	for _, how := range []string{"silence", "notifications"} {
		t.Run(how, func(t *testing.T) {
			c := standInChecker(t, how, Options{Servers: 1, Timeout: 200 * time.Millisecond})
			_, err := c.Check(t.Context(), program("return 1"))
			mustFail(t, err, ErrTooComplex)
		})
	}
	t.Run("the context ends", func(t *testing.T) {
		c := standInChecker(t, "silence", Options{Servers: 1, Timeout: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := c.Check(ctx, program("return 1"))
		mustFail(t, err, context.DeadlineExceeded)
		// The only server is still busy.
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = c.Check(ctx, program("return 1"))
		mustFail(t, err, context.DeadlineExceeded)
	})
	t.Run("Close", func(t *testing.T) {
		c := standInChecker(t, "silence", Options{Servers: 2, Timeout: time.Minute})
		var wg sync.WaitGroup
		for range 5 { // three of them wait for a server
			wg.Go(func() {
				_, err := c.Check(context.Background(), program("return 1"))
				mustFail(t, err, ErrClosed)
			})
		}
		time.Sleep(100 * time.Millisecond)
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		_, err := c.Check(t.Context(), program("return 1"))
		mustFail(t, err, ErrClosed)
		mustFail(t, c.Warm(t.Context()), ErrClosed)
	})
}

func TestProcessorTime(t *testing.T) {
	before, ok := processorTime(os.Getpid())
	if !ok {
		if runtime.GOOS == "linux" {
			t.Fatal("it is not known")
		}
		t.Skip("it is not known here")
	}
	for i := 0; ; i++ {
		if used, ok := processorTime(os.Getpid()); !ok || used > before {
			break
		}
		if i > 1e7 {
			t.Fatal("time does not pass")
		}
	}
	if _, ok := processorTime(1 << 22); ok {
		t.Error("a process with an id that none has, has used something")
	}
}

// bombs are small programs whose check would take hours, or all memory.
var bombs = map[string]string{
	"recursive types": `type Build<N extends number, T extends any[] = []> = T["length"] extends N ? T : Build<N, [...T, any]>;
type Mul<A extends any[], B extends any[]> = A extends [any, ...infer R] ? [...B, ...Mul<R, B>] : [];
type X = Mul<Build<999>, Mul<Build<999>, Build<999>>>;
const x: X = [] as any; return x.length`,
	"product of unions": `type D = 0|1|2|3|4|5|6|7|8|9;
type S = ` + "`${D}${D}${D}${D}`" + `;
type Cross<A extends string, B extends string> = A extends any ? B extends any ? A extends B ? 1 : { [K in ` + "`${A}${B}`" + `]: K } : never : never;
declare let a: Cross<S, S>; declare let b: Cross<S, ` + "`x${S}`" + `>;
a = b; return a`,
	"exponential inference": exponential(60),
	"nesting":               "return " + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000),
	"nested calls":          "return " + strings.Repeat("f(", 100_000) + "1" + strings.Repeat(")", 100_000),
	"nested functions":      "return " + strings.Repeat("() => ", 100_000) + "1",
	"long sum":              "return 1" + strings.Repeat("+1", 300_000),
	"nested types":          "type T = " + strings.Repeat("{a:", 100_000) + "1" + strings.Repeat("}", 100_000) + "; const t: T = 1; return t",
}

// exponential makes a chain of functions whose types double with each.
func exponential(n int) string {
	var b strings.Builder
	b.WriteString("const f0 = (x) => [x, x] as const;\nconst g0 = f0(1);\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "const g%d = { a: g%d, b: g%d, c: [g%d, g%d] as const };\n", i, i-1, i-1, i-1, i-1)
	}
	fmt.Fprintf(&b, "let z = g%d; z = { ...g%d, a: 5 }; const w: typeof g%d = JSON.parse(JSON.stringify(z)) as unknown as { a: typeof z }; return w", n-1, n-1, n-1)
	return b.String()
}

// TestBombs: a bomb costs its own check and nobody else's.
func TestBombs(t *testing.T) {
	for name, code := range bombs {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, Options{Timeout: 2 * time.Second, MemoryMB: 384})
			if err := c.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				started := time.Now()
				found, err := c.Check(t.Context(), program(code))
				t.Logf("after %v: %.200v, %v", time.Since(started).Round(time.Millisecond), found, err)
				if err != nil {
					mustFail(t, err, ErrTooComplex)
				}
			}()
			checks := 0
			for running := true; running; checks++ {
				select {
				case <-done:
					running = false
				default:
				}
				found := check(t, c, program(crmImport+`return crm.qeury({ soql: "x" })`))
				if len(found) != 1 || found[0].Code != 2551 {
					t.Fatalf("beside the bomb it says %v", found)
				}
			}
			t.Logf("%d checks beside it", checks)
		})
	}
}

// TestServerDies: a server that dies in the middle of a check is replaced, and the
// check is done by another.
func TestServerDies(t *testing.T) {
	c := newChecker(t, Options{Servers: 2})
	for range 5 {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				found, err := c.Check(t.Context(), program(crmImport+`return crm.qeury({ soql: "x" })`))
				// Both servers of a check may be killed here.
				if err != nil && !errors.Is(err, ErrUnavailable) || err == nil && len(found) != 1 {
					t.Errorf("Check: %v, %v", found, err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		c.mu.Lock()
		for s := range c.running {
			if p, err := os.FindProcess(s.pid); err == nil {
				_ = p.Kill()
			}
			break
		}
		c.mu.Unlock()
		wg.Wait()
	}
	if found := check(t, c, program(crmImport+`return crm.qeury({ soql: "x" })`)); len(found) != 1 {
		t.Errorf("afterwards it says %v", found)
	}
}

func TestIdleServerDies(t *testing.T) {
	c := newChecker(t, Options{Servers: 1})
	if err := c.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.idle[0].kill()
	<-c.idle[0].exited
	c.mu.Unlock()
	if found := check(t, c, program("return missing")); len(found) != 1 {
		t.Errorf("it says %v", found)
	}
}

// TestManyConversations: the modules of a thousand conversations do not pile up.
func TestManyConversations(t *testing.T) {
	c := newChecker(t, Options{Servers: 2, MemoryMB: 256})
	checks := 1000
	if testing.Short() {
		checks = 100
	}
	var wg sync.WaitGroup
	next := make(chan int)
	most := 0
	for range 2 {
		wg.Go(func() {
			for i := range next {
				p := program(fmt.Sprintf("import { f%d } from \"./mcp/own\";\nreturn f%d(%d)", i, i, i))
				p.Modules = append(p.Modules, Module{"./mcp/own", fmt.Sprintf("export function f%d(a: string) {}", i)})
				found, err := c.Check(t.Context(), p)
				if err != nil || len(found) != 1 || found[0].Code != 2345 {
					t.Errorf("check %d: %v, %v", i, found, err)
				}
			}
		})
	}
	for i := range checks {
		next <- i
		c.mu.Lock()
		if len(c.running) > 3 { // one may be going while its successor comes
			t.Errorf("%d servers are running", len(c.running))
		}
		for _, s := range c.idle {
			most = max(most, s.residentMB())
		}
		c.mu.Unlock()
	}
	close(next)
	wg.Wait()
	t.Logf("an idle server has %d MB at most", most)
	if most > 256/2 {
		t.Errorf("an idle server had %d MB, want %d at most", most, 256/2)
	}
	projects, err := filepath.Glob(filepath.Join(c.dir.Path, "*", "*"))
	if err != nil || len(projects) > 2*(maxProjects+1) {
		t.Errorf("%d folders are left of %d conversations, %v", len(projects), checks, err)
	}
}
