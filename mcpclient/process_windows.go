package mcpclient

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// groupAttr puts the server into a process group of its own, so that
// terminateGroup reaches it and Ctrl-C in a console does not.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}

// terminateGroup asks the group to end. Windows has no SIGTERM; programs that
// handle Ctrl-Break end in order.
func terminateGroup(p *os.Process) {
	_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.Pid))
}

// killGroup ends the server. What it started is left to it: Windows has no
// signal for a group.
func killGroup(p *os.Process) { _ = p.Kill() }
