//go:build linux && (amd64 || arm64)

package jail_test

import (
	"os/exec"
	"testing"

	"github.com/conductor/conductor/internal/jail"
)

// BenchmarkTrue is the start and end of a program that does nothing.
func BenchmarkTrue(b *testing.B) {
	program, err := exec.LookPath("true")
	must(b, err)
	policy, err := jail.Runtime(program)
	must(b, err)
	compare(b, policy, func() *exec.Cmd { return exec.Command(program) })
}

// BenchmarkDeno is the boot and end of Deno with an empty program.
func BenchmarkDeno(b *testing.B) {
	template, policy, _ := denoCommand(b, "")
	compare(b, policy, func() *exec.Cmd {
		cmd := exec.Command(template.Path, template.Args[1:]...)
		cmd.Dir, cmd.Env = template.Dir, template.Env
		return cmd
	})
}

func compare(b *testing.B, policy jail.Policy, command func() *exec.Cmd) {
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			must(b, command().Run())
		}
	})
	jailed := func(policy jail.Policy) func(b *testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				p, err := jail.Start(command(), policy)
				must(b, err)
				must(b, p.Wait())
			}
		}
	}
	b.Run("jailed", jailed(policy))
	policy.Without = []jail.Layer{jail.Seccomp}
	b.Run("netns instead of seccomp", jailed(policy))
}
