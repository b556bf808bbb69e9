package jail

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A plan is what has to be done to a thread, prepared outside of it.
type plan struct {
	layers  []Layer
	ruleset int // of landlock, or -1
	policy  Policy
	scoped  bool   // landlock covers signals
	token   uint32 // see seccomp_linux.go
}

// newPlan prepares the layers that the machine offers for the policy.
func newPlan(p Policy, r Report) (*plan, error) {
	pl := &plan{ruleset: -1, policy: p}
	without := slices.Clone(p.Without)
	if slices.Contains(without, NoNewPrivs) {
		// The kernel wants it before the other two.
		without = append(without, Landlock, Seccomp)
	}
	for _, l := range r.Layers {
		if l != Rlimits && !slices.Contains(without, l) {
			pl.layers = append(pl.layers, l)
		}
	}
	if pl.has(Seccomp) || p.Network {
		pl.layers = slices.DeleteFunc(pl.layers, func(l Layer) bool { return l == Netns })
	}
	if pl.has(Seccomp) {
		var b [4]byte
		for pl.token == 0 {
			_, _ = rand.Read(b[:]) // never fails, see its documentation
			pl.token = binary.NativeEndian.Uint32(b[:])
		}
	}
	if pl.has(Landlock) {
		pl.scoped = r.SignalScope
		var err error
		if pl.ruleset, err = newRuleset(p, r); err != nil {
			return nil, err
		}
	}
	return pl, nil
}

func (pl *plan) has(l Layer) bool { return slices.Contains(pl.layers, l) }

func (pl *plan) close() {
	if pl.ruleset >= 0 {
		_ = unix.Close(pl.ruleset)
	}
}

// apply restricts the calling thread for good.
func (pl *plan) apply() error {
	if pl.has(NoNewPrivs) {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("no_new_privs: %w", err)
		}
	}
	if pl.has(Landlock) {
		if err := restrictSelf(pl.ruleset); err != nil {
			return err
		}
	}
	if pl.has(Capabilities) {
		if err := dropCapabilities(pl.has(Landlock)); err != nil {
			return err
		}
	}
	if pl.has(Seccomp) {
		return installFilter(newFilter(pl.policy, pl.token, pl.scoped, unix.Getpid(), unix.Gettid()))
	}
	return nil
}

// attributes are what the child does to itself between fork and exec.
func (pl *plan) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if pl.has(ParentDeath) {
		// It fires when the thread ends, not the process (golang.org/issue/27505).
		attr.Pdeathsig = syscall.SIGKILL
	}
	// Not a session: each is a scheduling group of its own (sched_autogroup), in which
	// Deno takes half as long again to boot on a busy machine. What a session would
	// add, to have no terminal, landlock and seccomp see to.
	attr.Setpgid = true
	if pl.has(Seccomp) {
		// How the filter knows these two calls as ours, see seccomp_linux.go.
		attr.Cloneflags = uintptr(uint64(pl.token) << 32)
		attr.Pgid = int(uint64(pl.token) << 32)
	}
	if pl.has(Netns) {
		// No mappings: Go would write them from the restricted thread.
		attr.Cloneflags |= unix.CLONE_NEWUSER | unix.CLONE_NEWNET
	}
	return attr
}

func start(cmd *exec.Cmd, p Policy) (*Process, error) {
	if cmd.SysProcAttr != nil {
		return nil, errors.New("jail: the command's SysProcAttr is not nil")
	}
	pl, err := newPlan(p, Probe())
	if err != nil {
		return nil, fmt.Errorf("jail: %w", err)
	}
	warmUp()
	cmd.SysProcAttr = pl.attributes()
	started, exited := make(chan error, 1), make(chan struct{})
	onThread(func() {
		err := pl.apply()
		if err != nil {
			err = fmt.Errorf("jail: %w", err)
		} else {
			err = cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		// The thread has to live as long as the program, or Pdeathsig fires.
		awaitExit(cmd.Process.Pid)
		close(exited)
	})
	err = <-started
	pl.close()
	if err != nil {
		return nil, err
	}
	return &Process{Layers: pl.layers, cmd: cmd, exited: exited}, nil
}

// onThread runs f on a thread of its own, which ends with f, so that nothing else
// ever runs with what f does to it. It is not the main thread: that one cannot end,
// and signals to the process are judged by its restrictions.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		// Hold the main thread until there is another one for f.
		locked := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(locked)
			f()
		}()
		<-locked
		runtime.UnlockOSThread()
	}()
}

// warmUp has the os package find out what the kernel can do for processes, which
// it does once and for all: inside of a jail it would find less.
var warmUp = sync.OnceFunc(func() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Release()
	}
})

// awaitExit returns when the child has ended, and leaves its status to be waited
// for.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return // ended, or already waited for
		}
	}
}

// dropCapabilities leaves the thread, and what it starts, without the powers of
// root. An exec does not bring them back: under no_new_privs it never adds any.
func dropCapabilities(walled bool) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now, want [2]unix.CapUserData
	if err := unix.Capget(&header, &now[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if walled {
		// Root reads and writes its users' folders, if the policy names them.
		want[0].Permitted = now[0].Permitted & (1 << unix.CAP_DAC_OVERRIDE)
		want[0].Effective = want[0].Permitted
	}
	if err := unix.Capset(&header, &want[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}
