package conductor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// A look is what there is in a workspace.
type look struct {
	files   map[string]fileLook // by path
	folders []string            // each before those in it
}

type fileLook struct {
	size     int64
	modified time.Time
}

// tooMany is how many times over its quota a workspace may be before it is no longer
// counted to its end.
const tooMany = 10

func (w *workspaces) look(dir string) (*look, error) {
	seen := &look{files: map[string]fileLook{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil // a program is at work
		}
		if err != nil || path == dir {
			return err
		}
		if len(seen.files)+len(seen.folders) > tooMany*w.MaxFiles {
			return fs.SkipAll
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		if d.IsDir() {
			seen.folders = append(seen.folders, name)
			return nil
		}
		info, err := d.Info()
		if err == nil {
			seen.files[name] = fileLook{info.Size(), info.ModTime()}
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("conductor: workspace: %w", err)
	}
	return seen, nil
}

// A usage is what counts against the quotas.
type usage struct {
	bytes int64
	files int
}

func (l *look) usage() usage {
	u := usage{files: len(l.files) + len(l.folders)}
	for _, f := range l.files {
		u.bytes += f.size
	}
	return u
}

func (u usage) String() string {
	return fmt.Sprintf("%d bytes in %d files and folders", u.bytes, u.files)
}

func (w *workspaces) quota() usage         { return usage{w.MaxBytes, w.MaxFiles} }
func (w *workspaces) exceeds(u usage) bool { return u.bytes > w.MaxBytes || u.files > w.MaxFiles }

// changes compares with a later look, in the order of the paths.
func (l *look) changes(after *look) []FileChange {
	var all []FileChange
	for path, f := range after.files {
		switch old, ok := l.files[path]; {
		case !ok:
			all = append(all, FileChange{Path: path, Change: "created", Bytes: f.size})
		case old != f:
			all = append(all, FileChange{Path: path, Change: "changed", Bytes: f.size})
		}
	}
	for path := range l.files {
		if _, ok := after.files[path]; !ok {
			all = append(all, FileChange{Path: path, Change: "removed"})
		}
	}
	slices.SortFunc(all, func(a, b FileChange) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// A workspaceRun watches what one program does to its workspace.
type workspaceRun struct {
	w      *workspaces
	dir    string
	before *look
	// most is the quota, or what there was before if that was more already: then a
	// program may at least remove something.
	most   usage
	caught usage  // what was found when that was exceeded; known after stop
	stop   func() // ends the watcher and waits for it
}

// lookEvery is how often a workspace is looked at while a program runs, and lookShare
// the part of the time that the looking may take.
const (
	lookEvery = 100 * time.Millisecond
	lookShare = 20
)

// begin makes the workspace ready for a program and watches it until stop is called.
// halt is called if the program writes too much.
func (w *workspaces) begin(id string, halt func()) (*workspaceRun, error) {
	dir, err := w.open(id)
	if err != nil {
		return nil, err
	}
	r := &workspaceRun{w: w, dir: dir}
	if r.before, err = w.look(dir); err != nil {
		return nil, err
	}
	u := r.before.usage()
	r.most = usage{max(w.MaxBytes, u.bytes), max(w.MaxFiles, u.files)}
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(ctx, halt)
	}()
	r.stop = func() {
		cancel()
		<-watched
	}
	return r, nil
}

func (r *workspaceRun) over(u usage) bool { return u.bytes > r.most.bytes || u.files > r.most.files }

func (r *workspaceRun) watch(ctx context.Context, halt func()) {
	pause := lookEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		started := time.Now()
		now, err := r.w.look(r.dir)
		if err == nil && r.over(now.usage()) {
			r.caught = now.usage()
		}
		if err != nil || r.caught != (usage{}) {
			halt()
			return
		}
		pause = max(lookEvery, lookShare*time.Since(started))
	}
}

// end tells the result what has become of the files, and makes room if they are too
// many or too large.
func (r *workspaceRun) end(result *Result) error {
	r.stop()
	after, err := r.w.look(r.dir)
	if err != nil {
		return err
	}
	used := after.usage()
	if r.caught != (usage{}) {
		used = r.caught // another program may have made room since
	}
	if r.over(used) {
		removed, err := r.makeRoom(after)
		if err != nil {
			return err
		}
		result.Phase, result.Value, result.Whole = sandbox.PhaseKilled, nil, nil
		result.Error = &ProgramError{
			Message: fmt.Sprintf("the program was stopped: its folder held %s, at most %s are allowed; what it had written was removed: %s", used, r.w.quota(), cmp.Or(removed, "nothing is left of it")),
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
	for r.over(after.usage()) {
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
	for _, f := range written {
		if !r.over(left) {
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
		if r.over(left) && !old[folder] {
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
// the result what became of the files; it is not nil if the run's result is not.
func (v *Conversation) runIn(ctx context.Context, box *sandbox.Sandbox, program *sandbox.Program) (run *sandbox.Result, finish func(*Result) error, err error) {
	if v.c.workspaces == nil {
		run, err = box.Run(ctx, program)
		return run, func(*Result) error { return nil }, err
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	space, err := v.c.workspaces.begin(v.id, cancel)
	if err != nil {
		return nil, nil, err
	}
	defer space.stop()
	program.Profile = v.c.workspaces.profile(v.c.opts.Sandbox.Profile, space.dir)
	run, err = box.Run(runCtx, program)
	if runCtx.Err() != nil && ctx.Err() == nil { // it has written too much
		err = nil
		if run == nil {
			run = &sandbox.Result{}
		}
	}
	return run, space.end, err
}
