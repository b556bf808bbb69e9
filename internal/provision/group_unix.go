//go:build unix

package provision

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the leader of a process group, so that killGroup
// reaches what npm starts.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
