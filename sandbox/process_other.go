//go:build !unix

package sandbox

import (
	"io"
	"os"
	"os/exec"
	"syscall"
)

// closeDescriptors has nothing to do: handles are inherited by name only.
func closeDescriptors(*exec.Cmd) error { return nil }

func signalOf(*exec.Cmd) syscall.Signal { return 0 }

// An errorPipe copies a process's stderr.
type errorPipe struct {
	file    *os.File
	capture *capture
}

func (e *errorPipe) copy() { _, _ = io.Copy(e.capture, e.file) }

// drain does nothing: what is still on its way when a program has reported its
// value is lost here.
func (e *errorPipe) drain() {}
