package jail_test

import (
	"testing"

	"github.com/conductor/conductor/internal/jail"
)

// TestReport: every layer is either offered or missing for a reason.
func TestReport(t *testing.T) {
	report := jail.Probe()
	t.Logf("%+v", report)
	for _, l := range []jail.Layer{
		jail.NoNewPrivs, jail.Landlock, jail.Capabilities, jail.Seccomp, jail.Netns,
		jail.ParentDeath, jail.ProcessGroup, jail.Rlimits,
	} {
		missing := 0
		for _, m := range report.Missing {
			if m.Layer == l && m.Reason != "" {
				missing++
			}
		}
		if report.Has(l) == (missing == 1) {
			t.Errorf("%s: offered %v, missing %d times", l, report.Has(l), missing)
		}
	}
}

// TestKill: a program that does not end by itself, on every system.
func TestKill(t *testing.T) {
	cmd, policy := self(t, "loop")
	p, err := jail.Start(cmd, policy)
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := p.Wait(); err == nil {
		t.Error("Wait says that it has ended well")
	}
	p.Kill()
	if err := p.Limit(jail.Limits{}); err == nil {
		t.Error("a program that has ended was limited")
	}
}
