//go:build !unix

package sandbox

import (
	"os/exec"
	"syscall"
)

func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill()
	}
}

func signalOf(*exec.Cmd) syscall.Signal { return 0 }
