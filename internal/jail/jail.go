// Package jail starts a program inside the walls that the operating system offers
// to an ordinary process: no root, no helper program, no re-execution.
//
//	policy, err := jail.Runtime(deno)             // what Deno itself needs
//	policy.Write = append(policy.Write, folder)   // and what this run may have
//	p, err := jail.Start(cmd, policy)
//	err = p.Limit(jail.Limits{DataBytes: 256 << 20})
//	…
//	p.Kill()
//	err = p.Wait()
//
// # How
//
// On Linux most restrictions belong to a thread and are inherited by what it
// starts. [Start] takes a fresh thread of this process, restricts it, starts the
// program from it, and lets the thread end when the program has. The rest of this
// process is as free as before, and so is every goroutine.
//
// # What holds what
//
//   - landlock: files and folders outside of the policy cannot be opened, made,
//     moved, removed or executed; no plain TCP; no signals to, and no abstract Unix
//     sockets of, processes outside.
//   - seccomp: no sockets of any kind, no new processes, no looking into or
//     adjusting of other processes, no namespaces, mounts, keys, io_uring, bpf and
//     the like, and none of what landlock does not cover: modes, owners, times and
//     attributes of files, inotify, System V IPC. A refused call fails with EPERM,
//     so that a program which merely tries goes on.
//   - capabilities: root keeps none but the right to open files whatever their
//     mode, and that only inside of landlock.
//   - no_new_privs: programs with set-user-id bits give nothing.
//   - pdeathsig: the program dies with this process, however that dies.
//   - process_group: it leads a group of its own, which [Process.Kill] ends whole.
//   - rlimits: [Process.Limit].
//   - netns: a network namespace with nothing in it. It doubles the price of a
//     start (a full fork instead of a vfork, and a namespace to build and to tear
//     down) for something that seccomp already forbids, so it is only taken in
//     seccomp's place.
//
// What none of them hides: whether a path exists and its size, owner and times
// (stat is not a right that landlock knows), the process's own working folder, the
// host's name and kernel, and time.
//
// # Elsewhere
//
// On other systems the program gets a process group of its own and nothing more,
// and [Probe] says so.
package jail

import (
	"os/exec"
	"slices"
	"sync"
)

// A Layer is one defence.
type Layer string

// The layers, in the order in which a [Report] lists them.
const (
	NoNewPrivs   Layer = "no_new_privs"
	Landlock     Layer = "landlock"
	Capabilities Layer = "capabilities"
	Seccomp      Layer = "seccomp"
	Netns        Layer = "netns"
	ParentDeath  Layer = "pdeathsig"
	ProcessGroup Layer = "process_group"
	Rlimits      Layer = "rlimits"
)

// A Policy says what a program may do besides computing and using the files it is
// handed open. The zero value allows nothing, which is not enough to start a
// program: begin with [Runtime].
//
// Paths are absolute and must exist. Symbolic links in them are followed once, by
// Start; links that the program makes later lead nowhere it could not go anyway. A
// folder stands for all below it.
type Policy struct {
	// Exec are the files that may be executed and read, or folders of such.
	Exec []string
	// Read are the files and folders that may be read.
	Read []string
	// Write are the folders that may be read, written and changed, and files that
	// may be read and written. Devices, sockets and pipes cannot be made in them.
	Write []string
	// Network allows sockets of IPv4 and IPv6, and to read the files by which the
	// system resolves names. It does not tell one address from another.
	Network bool
	// Processes allows to start programs (those in Exec), which get the same walls,
	// and to signal them. None of them can leave the process group. A program that
	// outlives its starter is not ended by the death of this process, only by Kill
	// and Wait.
	Processes bool
	// Attributes allows to change modes, owners, times and extended attributes, of
	// every file that the user of this process owns: no layer can limit that to
	// the Write folders.
	Attributes bool
	// Without names layers to do without although the machine has them. Tests use
	// it to show that the others hold alone.
	Without []Layer
}

// A Report says which layers this machine offers.
type Report struct {
	// Layers are those that were tried and hold.
	Layers []Layer
	// Missing are the others.
	Missing []Missing
	// LandlockABI is the version of the kernel's landlock, or 0. TCP is covered
	// from 4 on, signals and abstract Unix sockets from 6 on.
	LandlockABI int
	// SignalScope says whether landlock covers signals: it does from ABI 6 on
	// where the kernel has the correction by which threads of one process may
	// still signal each other. Otherwise seccomp refuses signals.
	SignalScope bool
}

// Missing is a layer that is not there, and why.
type Missing struct {
	Layer  Layer
	Reason string
}

// Has reports whether the machine offers the layer.
func (r Report) Has(l Layer) bool { return slices.Contains(r.Layers, l) }

// Probe tries every layer once, on threads that end afterwards, and returns what
// it found to every later caller too. It is safe for concurrent use.
func Probe() Report {
	r := probe()
	r.Layers, r.Missing = slices.Clone(r.Layers), slices.Clone(r.Missing)
	return r
}

// A Process is a program that was started in a jail. Its methods are safe for
// concurrent use, but Wait is to be called once.
type Process struct {
	// Layers are in force. Rlimits are not among them: they come with Limit.
	Layers []Layer

	cmd    *exec.Cmd
	exited <-chan struct{} // nil where nobody watches for the exit

	mu   sync.Mutex
	done bool // the process has ended and its id may be another's any moment
}

// Start starts the command as [exec.Cmd.Start] does, inside of the layers that
// [Probe] found. A layer that was found and cannot be put up is an error, and the
// command is not started. The command's SysProcAttr must be nil.
func Start(cmd *exec.Cmd, p Policy) (*Process, error) { return start(cmd, p) }

// Kill ends the program and all that it started, at once and without a chance to
// object. It does not wait, and after the end it does nothing.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.done {
		killGroup(p.cmd)
	}
}

// Wait waits for the program to end, kills what it has left behind in its process
// group, and returns what [exec.Cmd.Wait] returns. Use it in place of that.
func (p *Process) Wait() error {
	if p.exited == nil {
		err := p.cmd.Wait()
		p.mu.Lock()
		p.done = true
		p.mu.Unlock()
		return err
	}
	<-p.exited
	// Until cmd.Wait collects the status, the id stays the program's own.
	p.mu.Lock()
	killGroup(p.cmd)
	p.done = true
	p.mu.Unlock()
	return p.cmd.Wait()
}
