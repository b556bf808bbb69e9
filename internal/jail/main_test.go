package jail_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/conductor/conductor/internal/jail"
)

// roleEnv makes the test binary play the program in the jail, see roles.
const roleEnv = "JAIL_TEST_ROLE"

var spins int

// roles are what the test binary can be started as.
var roles = map[string]func() int{
	"exit": func() int { return 0 },
	"loop": func() int {
		fmt.Println("looping")
		for n := 0; ; n++ {
			spins = n // not to sleep is the point
		}
	},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(roleEnv); name != "" {
		role, ok := roles[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "no role %q\n", name)
			os.Exit(2)
		}
		os.Exit(role())
	}
	os.Exit(m.Run())
}

// self is a command that plays the role, and the policy that it needs to start.
func self(t testing.TB, role string, env ...string) (*exec.Cmd, jail.Policy) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := jail.Runtime(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append(env, roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	return cmd, policy
}

// mayLack are the layers that a container or an older kernel may be without, so
// that their absence does not fail the tests under CI either.
var mayLack = map[jail.Layer]bool{jail.Landlock: true, jail.Netns: true}

// need skips the test if the machine lacks a layer.
func need(t testing.TB, layers ...jail.Layer) {
	t.Helper()
	for _, missing := range jail.Probe().Missing {
		for _, l := range layers {
			if l != missing.Layer {
				continue
			}
			if os.Getenv("CI") != "" && !mayLack[l] {
				t.Fatalf("this machine has no %s: %s", l, missing.Reason)
			}
			t.Skipf("this machine has no %s: %s", l, missing.Reason)
		}
	}
}
