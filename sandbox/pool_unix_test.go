//go:build unix

package sandbox_test

import (
	"syscall"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

func TestPoolReplacesTheDead(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{PoolSize: 1})
	run(t, s, echoProgram("1"))
	eventually(t, "a waiting process", func() bool { return s.Pool().Waiting == 1 })
	for _, pid := range childrenNamed(t, "deno") {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a replacement", func() bool { stats := s.Pool(); return stats.Died == 1 && stats.Waiting == 1 })
	if result := run(t, s, echoProgram("2")); string(result.Value) != "2" {
		t.Errorf("the next run: %+v", result)
	}
}
