//go:build !unix

package deps

import (
	"context"
	"os/exec"
	"sync"
)

var installing sync.Mutex

// lockFile keeps goroutines apart. Two processes may both install: the rename into
// place decides.
func lockFile(context.Context, string) (func(), error) {
	installing.Lock()
	return installing.Unlock, nil
}

func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
