// Package procgroup ends a command with everything that it has started.
package procgroup

import "os/exec"

// Own makes a command that has not been started the leader of a process group of its
// own. Where the system has no groups it does nothing.
func Own(cmd *exec.Cmd) { own(cmd) }

// Kill ends the group of a command that was started after Own; elsewhere the command
// alone. It does not wait, and must not be called after the command was waited for.
func Kill(cmd *exec.Cmd) error { return kill(cmd) }
