package conductor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/conductor/conductor/sandbox"
)

// A FileChange says what a program has done to a file of its workspace, or what
// somebody else has done meanwhile.
type FileChange struct {
	// Path is relative to the workspace, with slashes.
	Path string `json:"path"`
	// Change is "created", "changed" or "removed".
	Change string `json:"change"`
	// Bytes is the file's size; 0 if it was removed.
	Bytes int64 `json:"bytes"`
}

// maxFileChanges bounds [Result.Files].
const maxFileChanges = 100

// A workspaceRun watches what one program does to its workspace.
type workspaceRun struct {
	w   *workspaces
	dir string
	// most is the quota, or what there was before if that was more already: then a
	// program may at least remove something.
	most    usage
	running *sandbox.Running // nil if the program did not begin
	stop    func()           // ends the watcher and waits for it
	before  *look            // and what the host has written since; with the lock of dir held

	caught atomic.Pointer[usage] // what was found when there was too much
}

// lookEvery is how often a workspace is looked at while a program runs, and lookShare
// the part of the time that the looking may take. A look can fail, since the program is
// at work: maxFailedLooks in a row are too many.
const (
	lookEvery      = 100 * time.Millisecond
	lookShare      = 20
	maxFailedLooks = 5
)

// start looks at the workspace and watches it until end is called.
func (r *workspaceRun) start(running *sandbox.Running) error {
	defer r.w.lock(r.dir)()
	before, err := r.w.look(r.dir)
	if err != nil {
		return err
	}
	u := before.usage()
	r.most = usage{bytes: max(r.w.MaxBytes, u.bytes), files: max(r.w.MaxFiles, u.files), tooLong: u.tooLong}
	r.running, r.before = running, before
	r.w.mu.Lock()
	r.w.runs = append(r.w.runs, r)
	r.w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(ctx)
	}()
	r.stop = func() {
		cancel()
		<-watched
	}
	return nil
}

func (r *workspaceRun) watch(ctx context.Context) {
	pause := lookEvery
	for failed := 0; failed < maxFailedLooks; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		started := time.Now()
		now, err := r.w.look(r.dir)
		switch {
		case err == nil:
			failed = 0
			used := now.usage()
			for _, other := range r.w.in(r.dir) {
				used.unlinked += other.running.UnlinkedBytes()
			}
			used.bytes += used.unlinked
			r.w.check(r.dir, used)
		default:
			if failed++; failed == maxFailedLooks {
				r.running.Stop(fmt.Errorf("what is in its folder cannot be found out: %w", err))
			}
		}
		pause = max(lookEvery, lookShare*time.Since(started))
	}
}

// leave ends what others do to the run.
func (r *workspaceRun) leave() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.runs = slices.DeleteFunc(r.w.runs, func(other *workspaceRun) bool { return other == r })
}

// in returns the runs under way in a workspace.
func (w *workspaces) in(dir string) []*workspaceRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	var runs []*workspaceRun
	for _, r := range w.runs {
		if r.dir == dir {
			runs = append(runs, r)
		}
	}
	return runs
}

// wrote lets the runs under way know a file of the host's. The lock of dir is held.
func (w *workspaces) wrote(dir, name string, file fileLook) {
	for _, r := range w.in(dir) {
		r.before.files[name] = file
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			r.before.folders = append(r.before.folders, folder)
		}
	}
}

// check stops all programs of a workspace for which there is too much in it: room is
// made by removing what any of them has written.
func (w *workspaces) check(dir string, used usage) {
	for _, r := range w.in(dir) {
		if !used.isWithin(r.most) && r.caught.CompareAndSwap(nil, &used) {
			r.running.Stop(r.tooMuch())
		}
	}
}

// tooMuch says what was found.
func (r *workspaceRun) tooMuch() error {
	return fmt.Errorf("its folder held %s, at most %s are allowed", r.caught.Load(), r.w.quota())
}

// end tells the result what has become of the files, and makes room if they are too
// many or too large.
func (r *workspaceRun) end(result *Result) error {
	if r.running == nil {
		return nil
	}
	defer r.w.lock(r.dir)()
	after, err := r.w.look(r.dir)
	if err == nil {
		r.w.check(r.dir, after.usage())
	}
	r.leave()
	if err != nil {
		return err
	}
	if r.caught.Load() != nil {
		removed, err := r.makeRoom(after)
		if err != nil {
			return err
		}
		result.Phase, result.Value, result.Whole = sandbox.PhaseKilled, nil, nil
		result.Error = &ProgramError{
			Message: fmt.Sprintf("the program was stopped: %v; what it had written was removed: %s", r.tooMuch(), cmp.Or(removed, "nothing is left of it")),
			Hint:    "write less, or remove files that are not needed any more",
		}
		if after, err = r.w.look(r.dir); err != nil {
			return err
		}
	}
	result.Files = r.before.changes(after)
	if more := len(result.Files) - maxFileChanges; more > 0 {
		result.Files, result.MoreFiles = result.Files[:maxFileChanges], more
	}
	return nil
}

// makeRoom removes what the program has written until the rest is within the limits.
// It returns the names for the message.
func (r *workspaceRun) makeRoom(after *look) (string, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	var names []string
	for !after.usage().isWithin(r.most) {
		removed, err := r.removeWritten(root, after)
		if err != nil {
			return "", err
		}
		if len(removed) == 0 {
			break // what is left was there before
		}
		names = append(names, removed...)
		// There may be more than was looked at.
		if after, err = r.w.look(r.dir); err != nil {
			return "", err
		}
	}
	if more := len(names) - maxListedCalls; more > 0 {
		names = append(names[:maxListedCalls], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", "), nil
}

// removeWritten removes first the files that the program has made and then those that
// it has changed, the largest first, as long as there are too many or they are too
// large; and the folders that it has made if that is not enough.
func (r *workspaceRun) removeWritten(root *os.Root, after *look) ([]string, error) {
	written := slices.DeleteFunc(r.before.changes(after), func(f FileChange) bool { return f.Change == "removed" })
	slices.SortStableFunc(written, func(a, b FileChange) int {
		// "created" comes after "changed".
		return cmp.Or(cmp.Compare(b.Change, a.Change), cmp.Compare(b.Bytes, a.Bytes))
	})
	var removed []string
	left := after.usage()
	for _, path := range after.tooLong {
		if err := root.RemoveAll(path); err != nil {
			return nil, err
		}
		left.files, left.tooLong = left.files-1, left.tooLong-1
		removed = append(removed, oneLine(path, maxAbout))
	}
	for _, f := range written {
		if left.isWithin(r.most) {
			return removed, nil
		}
		if err := root.RemoveAll(f.Path); err != nil {
			return nil, err
		}
		left.bytes, left.files = left.bytes-f.Bytes, left.files-1
		removed = append(removed, oneLine(f.Path, maxAbout))
	}
	old := map[string]bool{}
	for _, folder := range r.before.folders {
		old[folder] = true
	}
	for _, folder := range after.folders {
		if !left.isWithin(r.most) && !old[folder] {
			if err := root.RemoveAll(folder); err != nil {
				return nil, err
			}
			left.files--
			removed = append(removed, oneLine(folder, maxAbout))
		}
	}
	return removed, nil
}

// runIn runs a program in the conversation's workspace, if there are any. finish tells
// the result what became of the files.
func (v *Conversation) runIn(ctx context.Context, box *sandbox.Sandbox, program *sandbox.Program) (run *sandbox.Result, finish func(*Result) error, err error) {
	w := v.c.workspaces
	if w == nil {
		run, err = box.Run(ctx, program)
		return run, func(*Result) error { return nil }, err
	}
	dir, err := w.open(v.id)
	if err != nil {
		return nil, nil, err
	}
	space := &workspaceRun{w: w, dir: dir, stop: func() {}}
	program.Profile = w.profile(v.c.opts.Sandbox.Profile, dir)
	program.OnStart = space.start
	run, err = box.Run(ctx, program)
	space.stop()
	if run == nil {
		space.leave()
	}
	return run, space.end, err
}
