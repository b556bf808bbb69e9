package sandbox

// A Running is a program that has its process, for whoever watches it. It is safe for
// concurrent use.
type Running struct{ run *run }

// Stop ends the program, with the phase [PhaseKilled] and the error's text as its
// message. A program that has ended already is none the worse.
func (r *Running) Stop(why error) {
	r.run.mu.Lock()
	if r.run.stopped == nil {
		r.run.stopped = why
	}
	r.run.mu.Unlock()
	r.run.end(PhaseKilled)
}

// UnlinkedBytes is the size of the files on the file system of [Profile.Workspace] that
// the program has open and that have no name any more, so that nobody who looks at the
// folder sees them. It is known on Linux, and 0 elsewhere.
func (r *Running) UnlinkedBytes() int64 {
	if r.run.profile.Workspace == "" {
		return 0
	}
	sum := unlinkedBytes(r.run.process.cmd.Process.Pid, r.run.profile.Workspace)
	select {
	case <-r.run.process.exited:
		return 0 // the number may be another process's by now
	default:
		return sum
	}
}
