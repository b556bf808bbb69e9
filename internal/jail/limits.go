package jail

import (
	"os"
	"time"
)

// Limits bound what a running program may use. A zero field does not limit.
//
// The number of threads is not among them: the kernel counts RLIMIT_NPROC by user,
// over all processes of the host, and not at all for root. Without Policy.Processes
// a program has no processes but itself, and its threads are bounded by DataBytes,
// which every stack and every Worker's heap counts against.
type Limits struct {
	// DataBytes is the memory that the program may take on top of what it has when
	// Limit is called: private writable memory (RLIMIT_DATA), which is where heaps,
	// buffers, WebAssembly memory and stacks live. Requests beyond fail.
	//
	// What counts is address space that may be written, not what was: V8 takes
	// 512 MB for the code of each isolate at once. The first has it at the baseline;
	// every Worker needs another 525 MB of DataBytes, of which it uses 6.
	DataBytes uint64
	// CPU is the processor time of all threads since the program's start, rounded
	// up to seconds. It ends the program by SIGXCPU, and a second later by SIGKILL
	// if that is ignored.
	CPU time.Duration
	// FileBytes is the size to which a file can be written. The program gets
	// SIGXFSZ beyond, or an error if it ignores that.
	FileBytes uint64
	// OpenFiles is the highest number of files open at a time.
	OpenFiles uint64
}

// Limit bounds the running program. Call it when the program is up and idle and
// before it gets what is not trusted, for what it uses at that moment is the
// baseline of DataBytes. Core dumps are turned off in any case. It returns an error
// that wraps [errors.ErrUnsupported] where the system has no such limits.
func (p *Process) Limit(l Limits) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return os.ErrProcessDone
	}
	return limit(p.cmd.Process.Pid, l)
}

// What [Limits.Ended] returns. That memory ran out is not among it: the request
// fails, and how a program ends of that is its own affair.
const (
	EndedByCPU      = "cpu"
	EndedByFileSize = "file_size"
)

// Ended tells from the status of a program that was bounded by these limits which
// of them ended it, or "".
func (l Limits) Ended(state *os.ProcessState) string { return ended(state, l) }

// cpuSeconds is l.CPU as the kernel counts it.
func (l Limits) cpuSeconds() uint64 {
	if l.CPU <= 0 {
		return 0
	}
	return uint64((l.CPU + time.Second - 1) / time.Second)
}
