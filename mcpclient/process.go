package mcpclient

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// How long the steps of ending a process may take. Mutable for testing.
var (
	stdinGrace = time.Second            // from end of input to SIGTERM
	termGrace  = time.Second            // from SIGTERM to SIGKILL
	killGrace  = 2 * time.Second        // from SIGKILL to giving up
	exitGrace  = time.Second            // from end of output to exit
	drainGrace = 250 * time.Millisecond // for output of a process that is gone
)

// process is a running stdio server with its process group.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	stderr *ring

	done chan struct{} // closed when the process was reaped and stderr is complete
	stop func() error  // see shutdown; runs once
}

// startProcess starts the command of s. Its stderr goes to tail, and to also.
func startProcess(s *Server, tail *ring, also io.Writer) (*process, error) {
	cmd := exec.Command(s.Command, s.Args...)
	cmd.Dir = s.Dir
	cmd.Env = environ(s.Env)
	cmd.SysProcAttr = groupAttr()

	// The pipes are ours and not those of os/exec, so that Wait returns when the
	// process is gone even if a grandchild keeps them open.
	var files []*os.File
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		files = append(files, r, w)
		return r, w, err
	}
	inR, inW, err1 := pipe()
	outR, outW, err2 := pipe()
	errR, errW, err3 := pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		closeAll(files...)
		return nil, fmt.Errorf("starting %q: %w", s.Command, err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, errW
	err := cmd.Start()
	if err != nil {
		closeAll(files...)
		return nil, &permanentError{startError(s, err)}
	}
	closeAll(inR, outW, errW)

	p := &process{cmd: cmd, stdin: inW, stdout: outR, stderr: tail, done: make(chan struct{})}
	p.stop = sync.OnceValue(p.shutdown)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.MultiWriter(tail, also), errR) // ends with the pipe, whatever the reason
	}()
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // the reason is in cmd.ProcessState
		// What the server started goes with it. The group's id cannot have been
		// given away in the moment since Wait.
		killGroup(cmd.Process)
		// A descendant that left the group may hold the pipes for ever.
		time.AfterFunc(drainGrace, func() { closeAll(outR) })
		select {
		case <-drained:
		case <-time.After(drainGrace):
		}
		closeAll(errR)
		<-drained
	}()
	return p, nil
}

// shutdown ends the process. MCP, "Lifecycle, Shutdown, stdio": the client SHOULD
// close the input stream to the server, wait for it to exit or send SIGTERM if
// it does not exit within a reasonable time, and send SIGKILL if it does not
// exit within a reasonable time after SIGTERM.
func (p *process) shutdown() error {
	defer closeAll(p.stdin, p.stdout)
	closeAll(p.stdin)
	if within(p.done, stdinGrace) {
		return nil
	}
	terminateGroup(p.cmd.Process)
	if within(p.done, termGrace) {
		return nil
	}
	killGroup(p.cmd.Process)
	if within(p.done, killGrace) {
		return nil
	}
	return fmt.Errorf("process %d does not end", p.cmd.Process.Pid)
}

// silence says why the process no longer answers. A process that closed its
// pipes is given a moment to be gone, for its exit status.
func (p *process) silence() error {
	if !within(p.done, exitGrace) {
		return errors.New("the server closed its standard output or input but did not exit")
	}
	msg := "the server process exited (" + p.cmd.ProcessState.String() + ")"
	if tail := p.stderr.String(); tail != "" {
		msg += "; its last output was: " + tail
	}
	return errors.New(msg)
}

// startError says what to do about a command that did not start.
func startError(s *Server, err error) error {
	if s.Dir != "" {
		if info, serr := os.Stat(s.Dir); serr != nil || !info.IsDir() {
			return fmt.Errorf("starting %q: Dir %q is not a folder: %w", s.Command, s.Dir, err)
		}
	}
	switch {
	case errors.Is(err, exec.ErrNotFound) && !strings.ContainsRune(s.Command, filepath.Separator):
		return &plain{fmt.Sprintf("command %q was not found in PATH: install it, or set Command to its full path", s.Command), err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return &plain{fmt.Sprintf("command %q does not exist: check the path", s.Command), err}
	case errors.Is(err, fs.ErrPermission):
		return &plain{fmt.Sprintf("command %q may not be executed: check that it is a program and its permissions", s.Command), err}
	}
	return fmt.Errorf("starting %q: %w", s.Command, err)
}

// closeAll closes files where there are any; closing one twice does no harm.
func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
