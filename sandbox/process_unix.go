//go:build unix

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// closeDescriptors keeps the command from inheriting descriptors of this process
// that are not marked close-on-exec: Go marks its own, but not those that this
// process inherited itself or that C code opened, and a program can write to any
// descriptor that it guesses.
func closeDescriptors(cmd *exec.Cmd) error {
	highest, err := highestInherited()
	if err != nil {
		return fmt.Errorf("listing the open files: %w", err)
	}
	cmd.ExtraFiles = make([]*os.File, highest-2) // nil: closed
	return nil
}

// inherited remembers for a moment what highestInherited has found: it asks the
// kernel for each open file.
var inherited struct {
	sync.Mutex
	highest int
	until   time.Time
}

// highestInherited returns the highest descriptor that a command would inherit.
func highestInherited() (int, error) {
	inherited.Lock()
	defer inherited.Unlock()
	if time.Now().Before(inherited.until) {
		return inherited.highest, nil
	}
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0, err
	}
	inherited.highest = 2
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= inherited.highest {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			inherited.highest = fd
		}
	}
	inherited.until = time.Now().Add(100 * time.Millisecond)
	return inherited.highest, nil
}

// signalOf returns the signal that ended the command, or 0.
func signalOf(cmd *exec.Cmd) syscall.Signal {
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// An errorPipe copies a process's stderr. Reading and keeping are one step under a
// lock, so that drain knows that nothing is on its way between the two.
type errorPipe struct {
	file    *os.File
	capture *capture

	mu     sync.Mutex
	buffer [4096]byte
}

// copy reads until the end of the pipe, or its deadline.
func (e *errorPipe) copy() {
	conn, err := e.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(e.readAvailable) // ends with the pipe
}

// drain reads what is in the pipe at this moment.
func (e *errorPipe) drain() {
	conn, err := e.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) { e.readAvailable(fd) }) // fails if it was read to its end
}

// readAvailable reads until there is nothing more now, and tells whether there
// never will be.
func (e *errorPipe) readAvailable(fd uintptr) (ended bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		n, err := syscall.Read(int(fd), e.buffer[:])
		switch {
		case n > 0:
			_, _ = e.capture.Write(e.buffer[:n])
		case errors.Is(err, syscall.EINTR):
		default:
			return !errors.Is(err, syscall.EAGAIN)
		}
	}
}
