//go:build unix

package mcpclient

import (
	"os"
	"syscall"
)

// groupAttr puts the server into a process group of its own, so that a signal
// reaches what it started, and Ctrl-C in a terminal does not reach the server.
func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminateGroup asks the group to end. It is no error if the group is gone.
func terminateGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }

// killGroup ends the group. It is no error if the group is gone.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
