package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/bench"
	"github.com/conductor/conductor/internal/leaktest"
)

// The prompts' promises do not depend on the machine, so they are kept here.
func TestTokensOfRealServers(t *testing.T) {
	if testing.Short() {
		t.Skip("connects to hundreds of servers in this process")
	}
	leaktest.Check(t)
	dir := os.Getenv("CONDUCTOR_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	if _, err := os.Stat(filepath.Join(dir, "schemas")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the corpora are missing, set CONDUCTOR_CORPORA: %v", err)
		}
		t.Skipf("the corpora are missing, set CONDUCTOR_CORPORA: %v", err)
	}
	env := tiny(t)
	env.Corpora, env.Sizes.Prompts = dir, 10
	report, err := bench.Run(t.Context(), env, []string{"tokens-50", "tokens-100", "tokens-200", "tokens-50-later", "tokens-100-later", "tokens-200-later"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Rows {
		if row.Error != "" || !row.Met || !strings.Contains(strings.Join(row.Notes, " "), "real servers") {
			t.Errorf("%s: %+v, promised %s, %s %v", row.Name, row.Measured, row.Promise, row.Error, row.Notes)
		}
		t.Logf("%s: p90 %.0f tokens, all definitions %.0f", row.Name, row.Measured.P90, row.Baseline.P90)
	}
}
