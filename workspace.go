package conductor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/sandbox"
)

// Workspaces give each conversation a folder of its own, the working folder of its
// programs, which they may read and write, with what is below it, and nothing else. It
// is there from one program to the next, and is removed with its conversation: by
// [Conductor.DeleteConversation], or when it has not been used for
// [Options.KeepConversations]. Replicas have the same workspaces if they share the
// folder.
//
// Programs with a workspace run in a process that is booted for them, which takes some
// 20 ms: no process can wait for a folder that nobody knows yet.
type Workspaces struct {
	// Dir is the folder that holds them, and nothing else; it is made if it is not
	// there. Empty means that there are none.
	Dir string
	// MaxBytes is how many bytes the files of one workspace may have together. Zero
	// means 100 MB.
	MaxBytes int64
	// MaxFiles is how many files and folders there may be in one. Zero means 1,000, the
	// most is [sandbox.MaxWorkspaceFiles].
	//
	// The quotas are looked at several times a second while a program runs, so that it
	// can be over them for a moment, by what it writes in that time; no file can be larger
	// than MaxBytes or [sandbox.Profile.FileMB] at any time. Files that a program has
	// removed and still has open count on Linux; elsewhere they are not seen until it ends,
	// up to [sandbox.Profile.OpenFiles] of them. No path may have more than 1,024 bytes. If
	// the quotas are exceeded the programs that run in the workspace are ended, and what
	// they have written is removed until the rest is within them.
	MaxFiles int
}

const (
	defaultWorkspaceBytes = 100_000_000
	defaultWorkspaceFiles = 1000
)

// ErrNoWorkspace is returned by [Conversation.Workspace] if [Options.Workspaces] names
// no folder.
var ErrNoWorkspace = errors.New("conversations have no workspaces here: set Options.Workspaces.Dir")

// workspaces is what a Conductor keeps of [Workspaces].
type workspaces struct {
	Workspaces
	keep   time.Duration  // less than zero: for ever
	writes [64]sync.Mutex // see lock

	mu   sync.Mutex
	runs []*workspaceRun // those under way
}

func newWorkspaces(o *Options) (*workspaces, error) {
	w := &workspaces{Workspaces: o.Workspaces, keep: o.KeepConversations}
	switch {
	case w.Dir == "":
		return nil, nil
	case w.MaxBytes < 0 || w.MaxFiles < 0:
		return nil, errors.New("conductor: Options.Workspaces has a quota below zero")
	case w.MaxFiles > sandbox.MaxWorkspaceFiles:
		return nil, fmt.Errorf("conductor: Options.Workspaces.MaxFiles is %d, at most %d", w.MaxFiles, sandbox.MaxWorkspaceFiles)
	case o.Sandbox.Profile.Workspace != "":
		return nil, errors.New("conductor: Options.Workspaces and Options.Sandbox.Profile.Workspace both name a folder: want one for each conversation, or one for all")
	}
	if w.MaxBytes == 0 {
		w.MaxBytes = defaultWorkspaceBytes
	}
	if w.MaxFiles == 0 {
		w.MaxFiles = defaultWorkspaceFiles
	}
	if w.keep == 0 {
		w.keep = conversation.DefaultKeep
	}
	var err error
	if w.Dir, err = filepath.Abs(w.Dir); err == nil {
		err = os.MkdirAll(w.Dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("conductor: Options.Workspaces: %w", err)
	}
	return w, nil
}

// lock makes a look at a workspace and what is written or removed after it one. A few
// workspaces share each lock.
func (w *workspaces) lock(dir string) (unlock func()) {
	l := &w.writes[crc32.ChecksumIEEE([]byte(dir))%uint32(len(w.writes))]
	l.Lock()
	return l.Unlock
}

// The entries of a conversation's own folder, which programs cannot see.
const (
	filesName = "files"        // the workspace
	ownerName = "conversation" // a file with the id; its time is that of the last use
)

// folderName matches what folder returns.
var folderName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// folder is the folder of a conversation, whose id may be anything: a hash of it is a
// safe name everywhere, and always the same.
func (w *workspaces) folder(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(w.Dir, hex.EncodeToString(sum[:16]))
}

// open makes the workspace of a conversation if it is not there, notes that it is in
// use, and returns its path.
func (w *workspaces) open(id string) (string, error) {
	folder := w.folder(id)
	files := filepath.Join(folder, filesName)
	err := os.MkdirAll(files, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, ownerName), []byte(id), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("conductor: workspace: %w", err)
	}
	return files, nil
}

func (w *workspaces) remove(id string) error {
	if err := os.RemoveAll(w.folder(id)); err != nil {
		return fmt.Errorf("conductor: workspace: %w", err)
	}
	return nil
}

// Workspaces of forgotten conversations are looked for once an hour, or more often if
// conversations are kept for less.
const (
	sweepRarely = time.Hour
	sweepOften  = time.Minute
)

// keepSwept removes such workspaces until the context ends.
func (c *Conductor) keepSwept(ctx context.Context) {
	for ctx.Err() == nil {
		if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
			c.opts.Logger.Warn("conductor: removing workspaces of forgotten conversations", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(sweepRarely, max(sweepOften, c.workspaces.keep))):
		}
	}
}

// sweep removes the workspaces that were not used for as long as a conversation is
// kept, and whose conversation is forgotten indeed. Both, since the store may be another
// one than that of whoever made the workspace.
func (c *Conductor) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(c.workspaces.Dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		folder := filepath.Join(c.workspaces.Dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), removedPrefix) && c.workspaces.unused(folder):
			err = os.RemoveAll(folder) // what an earlier sweep could not
		case folderName.MatchString(e.Name()) && c.workspaces.unused(folder):
			err = c.sweepFolder(ctx, folder)
		default:
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// unused tells whether a folder was not used for as long as a conversation is kept. One
// without the file of its owner is what somebody began to make, or to remove.
func (w *workspaces) unused(folder string) bool {
	info, err := os.Lstat(filepath.Join(folder, ownerName))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Lstat(folder)
	}
	return err == nil && time.Since(info.ModTime()) >= w.keep
}

// removedPrefix begins the names of folders that are about to be removed.
const removedPrefix = "removed-"

// sweepFolder removes the folder of a conversation that is forgotten.
func (c *Conductor) sweepFolder(ctx context.Context, folder string) error {
	w := c.workspaces
	id, err := os.ReadFile(filepath.Join(folder, ownerName))
	if err == nil && w.folder(string(id)) == folder { // else the file is torn
		if _, err = c.states.Load(ctx, string(id)); err == nil {
			return nil
		}
	}
	if err != nil && !errors.Is(err, conversation.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The owner may come back just now. Whoever comes after the renaming finds no folder
	// and makes one; whoever came before has made this one young.
	aside := filepath.Join(w.Dir, removedPrefix+rand.Text())
	if err := os.Rename(folder, aside); err != nil {
		return err
	}
	if !w.unused(aside) {
		return os.Rename(aside, folder)
	}
	return os.RemoveAll(aside)
}

// A Workspace is the folder of a conversation, for its host. It is an [fs.FS], whose
// names are relative and have slashes. A symbolic link is followed as long as it stays
// in the folder, and nothing but files and folders can be opened. It is safe for
// concurrent use, also while programs run.
type Workspace struct {
	w   *workspaces
	dir string
}

// Workspace returns the folder of the conversation, making it if it is not there. It
// can be used until the conversation is deleted.
func (v *Conversation) Workspace(ctx context.Context) (*Workspace, error) {
	if err := v.c.open(); err != nil {
		return nil, err
	}
	if v.c.workspaces == nil {
		return nil, fmt.Errorf("conductor: %w", ErrNoWorkspace)
	}
	// The conversation is there for as long as its workspace.
	if err := v.update(ctx, func(*conversation.State) error { return nil }); err != nil {
		return nil, err
	}
	dir, err := v.c.workspaces.open(v.id)
	if err != nil {
		return nil, err
	}
	return &Workspace{w: v.c.workspaces, dir: dir}, nil
}

// Open implements [fs.FS].
func (w *Workspace) Open(name string) (fs.File, error) {
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // what was opened stays open
	if info, err := fs.Stat(root.FS(), name); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is neither a file nor a folder")}
	}
	return root.FS().Open(name)
}

// ErrQuota is wrapped by errors of writes that a workspace has no room for.
var ErrQuota = errors.New("the workspace has no room for it")

// WriteFile makes or replaces a file, and the folders it is in. A program sees the old
// one or the new one, never a part. The error wraps [ErrQuota] if there is no room. The
// file is none of what a program that runs meanwhile has written: it is not in
// [Result.Files], and not removed if the program writes too much, unless it changes it.
func (w *Workspace) WriteFile(name string, data []byte) (err error) {
	if !fs.ValidPath(name) || name == "." {
		return &fs.PathError{Op: "write", Path: name, Err: fs.ErrInvalid}
	}
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	defer w.w.lock(w.dir)()
	if err := w.fits(root, name, int64(len(data))); err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	temporary := path.Join(path.Dir(name), ".writing-"+rand.Text())
	defer func() {
		if err != nil {
			_ = root.Remove(temporary) // may not be there
		}
	}()
	if err := root.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	if err := root.Rename(temporary, name); err != nil {
		return err
	}
	if info, err := root.Lstat(name); err == nil {
		w.w.wrote(w.dir, name, fileLook{info.Size(), info.ModTime()})
	}
	return nil
}

// fits returns an error if there is no room for a file of this size.
func (w *Workspace) fits(root *os.Root, name string, size int64) error {
	now, err := w.w.look(w.dir)
	if err != nil {
		return err
	}
	after := now.usage()
	after.bytes += size
	if len(name) > maxPath {
		after.tooLong++
	}
	for at := name; at != "."; at = path.Dir(at) {
		if info, err := root.Lstat(at); err != nil {
			after.files++
		} else if at == name {
			after.bytes -= info.Size()
		}
	}
	if !after.isWithin(w.w.quota()) {
		return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("%w: it would hold %s, at most %s are allowed", ErrQuota, after, w.w.quota())}
	}
	return nil
}

// Remove removes a file, or a folder with all that is in it. It is no error if there
// is none. The name "." empties the workspace.
func (w *Workspace) Remove(name string) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrInvalid}
	}
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if name != "." {
		return root.RemoveAll(name)
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, root.RemoveAll(e.Name()))
	}
	return errors.Join(errs...)
}

// DeleteConversation forgets a conversation and removes its workspace. It is no error if
// there is none. A program of it that runs meanwhile may bring parts of it back.
func (c *Conductor) DeleteConversation(ctx context.Context, id string) error {
	if err := c.open(); err != nil {
		return err
	}
	var err error
	if c.workspaces != nil {
		err = c.workspaces.remove(id)
	}
	c.pending.take(id)
	c.found.forget(id)
	c.client.Release(id)
	if deleted := c.states.Delete(ctx, id); deleted != nil {
		err = errors.Join(err, fmt.Errorf("conductor: %w", deleted))
	}
	return err
}

// profile is what programs may do that have the workspace as their folder.
func (w *workspaces) profile(base sandbox.Profile, dir string) *sandbox.Profile {
	base.Workspace = dir
	base.PoolSize = -1 // one that waits would mostly wait in vain, and takes 30 MB
	const mb = 1 << 20
	if most := int((w.MaxBytes + mb - 1) / mb); base.FileMB == 0 || base.FileMB > most {
		base.FileMB = min(most, defaultFileMB) // a megabyte at least, so the quota decides below that
	}
	return &base
}

// defaultFileMB is that of [sandbox.Profile.FileMB].
const defaultFileMB = 64
