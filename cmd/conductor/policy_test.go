package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
)

// TestConfiguredPolicy has a policy, an audit and workspaces come from the file.
func TestConfiguredPolicy(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := writeConfig(t, `{"policy": {"deny": ["*.refuse"]}, "audit": {"file": "calls.jsonl"}, "workspaces": {"dir": "ws", "max_mb": 1}, "store": "state"}`, "notes", as(t, "notes"))
	const write = `import * as notes from "./mcp/notes";
		const { count } = await notes.add_note({ text: "a" });
		await Deno.writeTextFile("count.txt", String(count));
		return count;`
	cli(t, write, "exec", "--config", config, "--conversation", "a", "-").check(t, exitOK, []string{"1\n"}, []string{"conductor: created count.txt\n"})
	cli(t, `return await Deno.readTextFile("count.txt")`, "exec", "--config", config, "--conversation", "a", "-").check(t, exitOK, []string{`"1"`}, nil)
	cli(t, `return await Deno.readTextFile("count.txt")`, "exec", "--config", config, "-").check(t, exitFailed, nil, []string{"NotFound"})
	cli(t, `import { refuse } from "./mcp/notes"; await refuse()`, "exec", "--config", config, "-").check(t, exitFailed, nil, []string{"notes.refuse: it may not be used in this conversation"})
	cli(t, "", "spec", "--config", config, "notes.refuse").check(t, exitFailed, nil, []string{"it may not be used in this conversation"})
	cli(t, `Deno.writeFileSync("big", new Uint8Array(1_000_001))`, "exec", "--config", config, "-").check(t, exitFailed, nil, []string{"killed", "what it had written was removed: big"})

	dir := filepath.Dir(config)
	audit, err := os.ReadFile(filepath.Join(dir, "calls.jsonl"))
	if err != nil || strings.Count(string(audit), "\n") != 2 || !strings.Contains(string(audit), `"outcome":"ok"`) || !strings.Contains(string(audit), `"user":"`) {
		t.Errorf("the audit is\n%s%v", audit, err)
	}
	// Only the conversation that can be resumed is left.
	if left, err := os.ReadDir(filepath.Join(dir, "ws")); err != nil || len(left) != 1 {
		t.Errorf("workspaces left: %v, %v", left, err)
	}
}
