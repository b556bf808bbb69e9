//go:build unix && !linux

package jail

import (
	"os/exec"
	"syscall"
)

const groups = true

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
