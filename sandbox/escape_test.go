//go:build unix

package sandbox_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// A tier is a way of running programs that the escape suite is held against.
type tier struct {
	name    string
	options sandbox.Options
	// allowAll says that Deno itself permits everything, so that what is under it
	// must hold alone: only the attempts marked os are run, and the reasons that
	// attempts give for Deno's refusals are not compared.
	allowAll bool
	// landlock says that the operating system bounds the files.
	landlock bool
	// rlimits says that memory outside of V8's heap, processor time and threads
	// are bounded.
	rlimits bool
	// fresh gives each attempt a sandbox of its own.
	fresh bool
}

// limits are the options of every tier, small enough for a test to reach.
var limits = sandbox.Options{
	Timeout:     30 * time.Second,
	Profile:     sandbox.Profile{MemoryMB: 64},
	MaxOutput:   64 << 10,
	MaxValue:    32 << 10,
	MaxCalls:    200,
	MaxInFlight: 8,
}

func TestEscape(t *testing.T) {
	alone := limits
	alone.Isolation = sandbox.IsolationOff
	// Resource limits come with the other layers of the operating system.
	offered, missing := sandbox.Layers()
	t.Logf("this machine offers %v, and not %v", offered, missing)
	for _, tier := range []tier{
		{name: "deno", options: alone},
		{name: "layers", options: limits, landlock: slices.Contains(offered, "landlock"), rlimits: slices.Contains(offered, "rlimits")},
		{name: "layers under -A", options: limits, landlock: slices.Contains(offered, "landlock"), rlimits: slices.Contains(offered, "rlimits"), allowAll: true, fresh: true},
	} {
		t.Run(tier.name, func(t *testing.T) {
			if testing.Short() && tier.name != "layers" {
				t.Skip("one tier is enough for a short test")
			}
			if tier.allowAll {
				if !tier.landlock || !slices.Contains(offered, "seccomp") {
					t.Skipf("without landlock and seccomp nothing would hold; missing are %v", missing)
				}
				t.Cleanup(sandbox.AllowAll())
			}
			runTier(t, tier)
		})
	}
}

func runTier(t *testing.T, tier tier) {
	attempts := readAttempts(t)
	area := newArea(t)
	t.Cleanup(func() { noSurvivors(t) }) // runs after Close
	var shared *sandbox.Sandbox
	if !tier.fresh {
		shared = newSandbox(t, &tier.options)
	}
	skipped := map[string]int{}
	// In a group of their own, so that all are over when the group is.
	t.Run("attempts", func(t *testing.T) {
		for _, a := range attempts {
			switch {
			case tier.allowAll && !a.os:
				skipped["stopped by Deno's permissions only"]++
				continue
			case a.needs == "rlimits" && !tier.rlimits:
				skipped["contained by rlimits only"]++
				continue
			case a.needs == "landlock" && !tier.landlock:
				skipped["stopped by landlock only, a hole in Deno 2.9.6"]++
				continue
			}
			t.Run(a.category+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				s := shared
				if s == nil {
					s = newSandbox(t, &tier.options)
				}
				outcome := a.run(t, s, &tier.options, area)
				t.Log(outcome.shown())
				for _, p := range outcome.problems {
					t.Error(p)
				}
				stopped := tier.rlimits && a.verdict != "harmless" && outcome.last().Phase == sandbox.PhaseMemory
				if !tier.allowAll && !stopped { // a worker alone may be too much there
					for _, p := range a.judge(outcome) {
						t.Error(p)
					}
				}
			})
		}
	})
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		t.Logf("%d attempts not run: %s", skipped[reason], reason)
	}
	if n := area.signals.Load(); n > 0 {
		t.Errorf("programs have sent %d signals to this process", n)
	}
}

// noSurvivors fails the test if a program's process is still there. A process that
// is being killed may take its time over giving back memory.
func noSurvivors(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := survivors()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("processes of programs are still there: %q", left)
			return
		}
	}
}

// survivors lists the processes that have inherited a sandbox's environment. It
// finds those that left the process group, too.
func survivors() []string {
	var found []string
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(environ), "DENO_DIR="+os.TempDir()) {
			cmdline, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			status, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "stat"))
			found = append(found, fmt.Sprintf("%.60s: %s", status, strings.ReplaceAll(string(cmdline), "\x00", " ")))
		}
	}
	return found
}

// --- one attempt ------------------------------------------------------------

// An outcome is what the host saw of an attempt.
type outcome struct {
	results  []*sandbox.Result // one for each program
	logs     []string
	problems []string // proofs that something got out
}

func (o *outcome) last() *sandbox.Result { return o.results[len(o.results)-1] }

// shown is the end of the last program in one line.
func (o *outcome) shown() string { return shownResult(o.last()) }

func shownResult(r *sandbox.Result) string {
	s := string(r.Phase) + " " + string(r.Value)
	if r.Error != nil {
		s += r.Error.Error()
	}
	return s
}

// prelude stands before each program.
const prelude = `import * as t from "./targets"; `

// run runs the programs of an attempt between fresh canaries and reports what
// they prove.
func (a *attempt) run(t *testing.T, s *sandbox.Sandbox, opts *sandbox.Options, area *area) *outcome {
	c := area.plant(t)
	o := &outcome{results: make([]*sandbox.Result, len(a.programs))}
	var mu sync.Mutex
	var inFlight, most, calls atomic.Int64
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		o.problems = append(o.problems, fmt.Sprintf(format, args...))
	}
	one := func(i int, previous json.RawMessage) {
		p := &sandbox.Program{
			Code:    prelude + c.fill(a.programs[i]),
			Modules: []sandbox.Module{{Specifier: "./targets", Source: c.module(previous)}},
			Timeout: a.timeout,
			OnLog: func(l sandbox.Log) {
				mu.Lock()
				defer mu.Unlock()
				if len(o.logs) < 1000 {
					o.logs = append(o.logs, l.Message)
				}
			},
			Call: func(ctx context.Context, call sandbox.Call) (json.RawMessage, error) {
				n := inFlight.Add(1)
				defer inFlight.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				calls.Add(1)
				if !json.Valid(call.Args) {
					note("the host was called with arguments that are not JSON: %.60q", call.Args)
				}
				if found := c.proofIn(string(call.Args) + call.Target); found != "" {
					note("a call's arguments hold %s", found)
				}
				switch {
				case call.Target == "echo":
					return call.Args, nil
				case strings.HasPrefix(call.Target, "hang"):
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return nil, fmt.Errorf("there is no target %.40q", call.Target)
			},
		}
		result, err := s.Run(t.Context(), p)
		if err != nil {
			t.Errorf("program %d: %v", i+1, err)
			result = &sandbox.Result{}
		}
		o.results[i] = result
	}
	if a.concurrent {
		var all sync.WaitGroup
		for i := range a.programs {
			all.Go(func() { one(i, nil) })
		}
		all.Wait()
	} else {
		previous := json.RawMessage("null")
		for i := range a.programs {
			one(i, previous)
			if v := o.results[i].Value; v != nil {
				previous = v
			}
		}
	}

	for i, r := range o.results {
		e := cmp.Or(r.Error, &sandbox.ProgramError{})
		for where, text := range map[string]string{
			"value": string(r.Value), "stdout": r.Stdout, "stderr": r.Stderr,
			"error": e.Name + "\n" + e.Message + "\n" + e.Hint,
		} {
			if found := c.proofIn(text); found != "" {
				note("the %s of program %d holds %s: %.300q", where, i+1, found, text)
			}
			if found := area.leakIn(text); found != "" && a.known == "" {
				note("the %s of program %d tells %s: %.600q", where, i+1, found, text)
			}
			if where != "value" && strings.ContainsFunc(text, unsafeRune) {
				note("the %s of program %d has control characters: %.100q", where, i+1, text)
			}
		}
		// What is not fit to be shown takes three bytes instead of one.
		if got, most := max(len(r.Stdout), len(r.Stderr)), 3*opts.MaxOutput+1000; got > most {
			note("%d bytes of output were kept, at most %d were asked for", got, most)
		}
		if got := len(r.Value); got > opts.MaxValue+1000 {
			note("the value has %d bytes, at most %d were asked for", got, opts.MaxValue)
		}
		if got := len(e.Name) + len(e.Message) + len(e.Hint); got > 64<<10 {
			note("the error has %d bytes", got)
		}
		if len(r.Calls) > opts.MaxCalls {
			note("%d calls are in the ledger, at most %d were asked for", len(r.Calls), opts.MaxCalls)
		}
		ledger := 0
		for _, call := range r.Calls {
			ledger += len(call.Target) + len(call.Error)
		}
		if ledger > 1<<20 {
			note("the ledger of %d calls has %d bytes", len(r.Calls), ledger)
		}
	}
	for _, l := range o.logs {
		if found := c.proofIn(l); found != "" {
			note("a log line holds %s: %.300q", found, l)
		}
		if found := area.leakIn(l); found != "" && a.known == "" {
			note("a log line tells %s: %.600q", found, l)
		}
	}
	if got, most := most.Load(), int64(opts.MaxInFlight*len(a.programs)); got > most {
		note("%d calls at the same time, at most %d were asked for", got, most)
	}
	if got, most := calls.Load(), int64(opts.MaxCalls*len(a.programs)); got > most {
		note("%d calls, at most %d were asked for", got, most)
	}
	for _, harm := range c.inspect(t) {
		note("%s", harm)
	}
	return o
}

func unsafeRune(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// refusal matches how a denied attempt ends, if it does not say otherwise.
var refusal = regexp.MustCompile(`Requires \w+ access|^ok "denied: |cannot import "|NotCapable`)

// judge says where an attempt without proof did not go as it expects to: a
// refusal for another reason may be a mistake in the attempt, and would hide an
// escape.
func (a *attempt) judge(o *outcome) []string {
	r := o.last()
	phases := a.phases
	if len(phases) == 0 {
		switch a.verdict {
		case "denied":
			phases = []sandbox.Phase{sandbox.PhaseOK, sandbox.PhaseRuntimeError, sandbox.PhaseRejected}
		case "harmless":
			phases = []sandbox.Phase{sandbox.PhaseOK}
		}
	}
	var wrong []string
	shown := o.shown()
	if !slices.Contains(phases, r.Phase) {
		wrong = append(wrong, fmt.Sprintf("phase %s, want one of %v: %.600s", r.Phase, phases, shown))
	}
	switch {
	case a.expect != nil:
		if !a.expect.MatchString(shown) {
			wrong = append(wrong, fmt.Sprintf("it ended with\n%.600s\nwant %s", shown, a.expect))
		}
	case a.verdict == "denied" && !refusal.MatchString(shown):
		wrong = append(wrong, fmt.Sprintf("it was not refused, it ended with\n%.600s", shown))
	}
	return wrong
}

// --- the attempts as data ---------------------------------------------------

// An attempt is one entry of testdata/escapes; README.md there has the syntax.
type attempt struct {
	name, category string
	verdict        string // denied, harmless, contained
	// os: what Deno's permissions stop must be stopped by the operating system
	// too, and the attempt succeeds if nothing stops it. main: it succeeds as the
	// main module of a Deno without permissions. shared: it succeeds if runs share
	// DENO_DIR.
	os, main, shared bool

	programs   []string
	why        string
	known      string
	needs      string
	expect     *regexp.Regexp
	phases     []sandbox.Phase
	timeout    time.Duration
	concurrent bool
}

const escapes = "testdata/escapes"

var (
	attemptHead = regexp.MustCompile(`^//// ([a-z0-9-]+): (denied|harmless|contained)((?:, (?:os|main|shared))*)$`)
	attemptRule = regexp.MustCompile(`^//// (why|known|needs|expect|phases|timeout): (\S.*)$`)
)

func readAttempts(t *testing.T) []*attempt {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(escapes, "*.ts"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no attempts: %v", err)
	}
	var all []*attempt
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		category := strings.TrimSuffix(filepath.Base(path), ".ts")
		var a *attempt
		for i, line := range strings.Split(string(text), "\n") {
			if m := attemptHead.FindStringSubmatch(line); m != nil {
				a = &attempt{name: m[1], category: category, verdict: m[2], programs: []string{""}}
				a.os, a.main, a.shared = strings.Contains(m[3], "os"), strings.Contains(m[3], "main"), strings.Contains(m[3], "shared")
				all = append(all, a)
				continue
			}
			rule := attemptRule.FindStringSubmatch(line)
			switch {
			case a == nil: // what stands before the first attempt is about the file
			case line == "//// run":
				a.programs = append(a.programs, "")
			case line == "//// concurrent":
				a.concurrent = true
			case rule != nil:
				if err := a.set(rule[1], rule[2]); err != nil {
					t.Fatalf("%s:%d: %v", path, i+1, err)
				}
			case strings.HasPrefix(line, "////"):
				t.Fatalf("%s:%d: cannot read %q", path, i+1, line)
			default:
				a.programs[len(a.programs)-1] += line + "\n"
			}
		}
	}
	return all
}

func (a *attempt) set(rule, value string) (err error) {
	switch rule {
	case "why":
		a.why = value
	case "known":
		a.known = value
	case "needs":
		a.needs = value
	case "expect":
		a.expect, err = regexp.Compile("(?s)" + value)
	case "timeout":
		a.timeout, err = time.ParseDuration(value)
	case "phases":
		for _, phase := range strings.Fields(value) {
			a.phases = append(a.phases, sandbox.Phase(phase))
		}
	}
	return err
}

// The attempts are well-formed, and there are as many as were promised.
func TestEscapeAttempts(t *testing.T) {
	attempts := readAttempts(t)
	const promised = 180
	if len(attempts) < promised {
		t.Errorf("%d attempts, want %d", len(attempts), promised)
	}
	phases := []sandbox.Phase{sandbox.PhaseOK, sandbox.PhaseRejected, sandbox.PhaseRuntimeError, sandbox.PhaseTimeout, sandbox.PhaseMemory, sandbox.PhaseKilled}
	seen := map[string]bool{}
	count := map[string]map[string]int{}
	flags := map[string]int{}
	for _, a := range attempts {
		name := a.category + "/" + a.name
		if seen[name] {
			t.Errorf("%s: the name is taken", name)
		}
		seen[name] = true
		if a.verdict == "harmless" && a.why == "" {
			t.Errorf("%s: harmless, but why?", name)
		}
		if a.verdict == "contained" && len(a.phases) == 0 {
			t.Errorf("%s: contained, but in which phases?", name)
		}
		if (a.os || a.main || a.shared) && a.verdict != "denied" {
			t.Errorf("%s: only what is denied can succeed elsewhere", name)
		}
		if a.needs != "" && a.needs != "rlimits" && a.needs != "landlock" {
			t.Errorf("%s: needs %q", name, a.needs)
		}
		for _, phase := range a.phases {
			if !slices.Contains(phases, phase) {
				t.Errorf("%s: there is no phase %q", name, phase)
			}
		}
		for i, code := range a.programs {
			if strings.TrimSpace(code) == "" {
				t.Errorf("%s: program %d is empty", name, i+1)
			}
		}
		if count[a.category] == nil {
			count[a.category] = map[string]int{}
		}
		count[a.category][a.verdict]++
		count[a.category]["in all"]++
		for flag, is := range map[string]bool{"os": a.os, "main": a.main, "shared": a.shared, "known": a.known != "", "needs a layer": a.needs != "", "in all": true} {
			if is {
				flags[flag]++
			}
		}
	}
	for _, category := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%-12s %v", category, count[category])
	}
	t.Logf("%v", flags)
}

// --- the suite can fail -----------------------------------------------------

// Attempts that only permissions stop get out where there are none. With fewer
// layers the suite fails, so it is worth something when it passes.
func TestEscapeWithoutPermissions(t *testing.T) {
	confirm(t, func(a *attempt) bool { return a.os }, standIn{AllowAll: true, DenoDir: "cache"})
}

// The same for attempts that only a folder of its own for each run stops.
func TestEscapeWithSharedFolder(t *testing.T) {
	confirm(t, func(a *attempt) bool { return a.shared }, standIn{DenoDir: "shared"})
}

// A standIn is this test's executable under another name, which starts the real
// Deno in another way. It is told by a file beside it, because its arguments and
// its environment are those that the sandbox gives to Deno.
type standIn struct {
	Real     string
	AllowAll bool   // all permissions, and none of the flags against them
	DenoDir  string // beside it; empty means as the sandbox says
}

const standInName = "deno-of-the-escape-suite"

func init() {
	if filepath.Base(os.Args[0]) != standInName {
		return
	}
	var s standIn
	text, err := os.ReadFile(os.Args[0] + ".json")
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err == nil {
		args, env := slices.Clone(os.Args), os.Environ()
		if s.AllowAll && len(args) > 1 && args[1] == "run" {
			args = []string{args[0], "run", "-A", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--node-modules-dir=none", args[len(args)-1]}
		}
		if s.DenoDir != "" {
			env = append(env, "DENO_DIR="+filepath.Join(filepath.Dir(os.Args[0]), s.DenoDir))
			slices.Reverse(env) // the first one counts
		}
		err = syscall.Exec(s.Real, args, env)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// confirm runs attempts with a stand-in for Deno, each in a sandbox of its own.
// Each must be caught.
func confirm(t *testing.T, picks func(*attempt) bool, s standIn) {
	real, err := sandbox.FindDeno(t.Context(), nil)
	if err != nil {
		newSandbox(t, nil) // skips, or fails
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Real = real.Path
	config, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	attempts := readAttempts(t)
	area := newArea(t)
	t.Cleanup(func() { noSurvivors(t) })
	options := limits
	options.Isolation = sandbox.IsolationOff
	options.PoolSize = -1
	options.Timeout = 10 * time.Second
	t.Run("attempts", func(t *testing.T) {
		for _, a := range attempts {
			if !picks(a) {
				continue
			}
			t.Run(a.category+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				options := options
				options.Deno = filepath.Join(t.TempDir(), standInName)
				if err := errors.Join(os.Symlink(self, options.Deno), os.WriteFile(options.Deno+".json", config, 0o600)); err != nil {
					t.Fatal(err)
				}
				s := newSandbox(t, &options)
				outcome := a.run(t, s, &options, area)
				if len(outcome.problems) == 0 {
					t.Errorf("nobody stopped it and it did not get out: %.600s", outcome.shown())
				}
				t.Logf("%.600q", outcome.problems)
			})
		}
	})
}

// What is in the static graph is not subject to permissions: as the main module of
// a Deno without any, these programs read what they like.
func TestEscapeAsMainModule(t *testing.T) {
	real, err := sandbox.FindDeno(t.Context(), nil)
	if err != nil {
		newSandbox(t, nil) // skips, or fails
		t.Fatal(err)
	}
	area := newArea(t)
	for _, a := range readAttempts(t) {
		if !a.main {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			c := area.plant(t)
			dir := t.TempDir()
			// Module syntax must be at the top level, the rest may return.
			var top, body []string
			for line := range strings.Lines(c.fill(a.programs[0])) {
				if strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "export ") {
					top = append(top, line)
				} else {
					body = append(body, line)
				}
			}
			main := strings.ReplaceAll(prelude, `"./targets"`, `"./targets.ts"`) + strings.Join(top, "") +
				"console.log(await (async () => {\n" + strings.Join(body, "") + "\n})());\n"
			for name, text := range map[string]string{"main.ts": main, "targets.ts": c.module(nil)} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), real.Path, "run", "--quiet", "--no-prompt", "--no-remote", "--no-npm",
				"--cached-only", "--no-config", "--no-lock", "--node-modules-dir=none", "--deny-import", "main.ts")
			cmd.Dir = dir
			cmd.Env = []string{"DENO_DIR=" + t.TempDir(), "NO_COLOR=1"}
			output, _ := cmd.CombinedOutput() // a syntax error shows the file, too
			if found := c.proofIn(strings.TrimPrefix(string(output), "ESCAPED: ")); found == "" || !strings.Contains(string(output), c.secret) {
				t.Errorf("it did not get out: %s", output)
			}
		})
	}
}

// --- what must not happen ---------------------------------------------------

// An area is where a tier's canaries live, and what the programs must not learn.
type area struct {
	dir     string
	sockets string            // short, because the path of a socket must be
	private map[string]string // text → what it is
	planted atomic.Int64
	signals atomic.Int64 // that this process got
	leaked  *leakedPipe
}

// envName is a variable of this process.
const envName = "CONDUCTOR_ESCAPE_SECRET"

func newArea(t *testing.T) *area {
	t.Helper()
	a := &area{dir: t.TempDir(), private: map[string]string{}}
	sockets, err := os.MkdirTemp("", "e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	a.sockets = sockets
	leaktest.Check(t)
	t.Setenv(envName, randomSecret())
	// Variables that would weaken Deno, were they inherited.
	t.Setenv("DENO_AUDIT_PERMISSIONS", filepath.Join(a.dir, "audit"))
	t.Setenv("DENO_AUTH_TOKENS", os.Getenv(envName)+"@127.0.0.1")
	t.Setenv("NODE_OPTIONS", "--require="+filepath.Join(a.dir, "none.js"))

	a.private[os.Getenv(envName)] = "the environment"
	// Programs know the canaries' folder, the sandbox's own is beside it.
	a.private[os.TempDir()] = "the host's temporary folder"
	if wd, err := os.Getwd(); err == nil {
		a.private[wd] = "the host's working folder"
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		a.private[home+"/"] = "the home folder"
	}
	if host, err := os.Hostname(); err == nil && len(host) > 4 && host != "localhost" {
		a.private[host] = "the host's name"
	}
	a.watchSignals(t)
	a.leaked = leakPipe(t)
	return a
}

// leakIn says what a text tells of the host.
func (a *area) leakIn(text string) string {
	for private, what := range a.private {
		for at := 0; ; {
			i := strings.Index(text[at:], private)
			if i < 0 {
				break
			}
			at += i
			// Not the end of another path, as /root is of /proc/1/root.
			if at == 0 || !strings.ContainsRune("/.-_", rune(text[at-1])) && !unicode.IsLetter(rune(text[at-1])) && !unicode.IsDigit(rune(text[at-1])) || strings.HasSuffix(text[:at], "//") {
				return what
			}
			at++
		}
	}
	if runtime.GOOS == "linux" && strings.Contains(text, "/conductor-") {
		return "a folder of the sandbox"
	}
	return ""
}
