//go:build !unix && !windows

package mcpclient

import (
	"os"
	"syscall"
)

// groupAttr asks for nothing: there are no process groups here.
func groupAttr() *syscall.SysProcAttr { return nil }

// terminateGroup asks the server to end.
func terminateGroup(p *os.Process) { _ = p.Signal(os.Interrupt) }

// killGroup ends the server.
func killGroup(p *os.Process) { _ = p.Kill() }
