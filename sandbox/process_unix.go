//go:build unix

package sandbox

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the leader of a process group, so that killGroup
// reaches everything that it starts.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup uses SIGKILL at once: a program can trap everything else.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// signalOf returns the signal that ended the command, or 0.
func signalOf(cmd *exec.Cmd) syscall.Signal {
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}
