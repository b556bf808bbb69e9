package conductor

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/conductor/conductor/internal/treewalk"
)

// A look is what there is in a workspace.
type look struct {
	files   map[string]fileLook // by path
	folders []string            // each before those in it
	tooLong []string            // files and folders whose path is; what is in them was not looked at
}

type fileLook struct {
	size     int64
	modified time.Time
}

const (
	// tooMany is how many times over its quota a workspace may be before it is no longer
	// counted to its end.
	tooMany = 10
	// maxPath is how many bytes a path in a workspace may have. A program can make paths
	// that are longer than what the operating system accepts.
	maxPath = 1024
)

func (w *workspaces) look(dir string) (*look, error) {
	seen := &look{files: map[string]fileLook{}}
	err := treewalk.Walk(dir, func(root *os.Root, path string, entry fs.DirEntry) error {
		switch {
		case seen.count() > tooMany*w.MaxFiles:
			return fs.SkipAll
		case len(path) > maxPath:
			seen.tooLong = append(seen.tooLong, path)
			return fs.SkipDir
		case entry.IsDir():
			seen.folders = append(seen.folders, path)
			return nil
		}
		info, err := root.Lstat(path)
		if treewalk.IsGone(err) {
			return nil
		}
		if err == nil {
			seen.files[path] = fileLook{info.Size(), info.ModTime()}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("conductor: workspace: %w", err)
	}
	return seen, nil
}

func (l *look) count() int { return len(l.files) + len(l.folders) + len(l.tooLong) }

// A usage is what counts against the quotas.
type usage struct {
	bytes    int64
	unlinked int64 // of the bytes, those in files that are open and have no name any more
	files    int
	tooLong  int // of the files, those with too long a path
}

func (l *look) usage() usage {
	u := usage{files: l.count(), tooLong: len(l.tooLong)}
	for _, f := range l.files {
		u.bytes += f.size
	}
	return u
}

func (u usage) String() string {
	text := fmt.Sprintf("%d bytes in %d files and folders", u.bytes, u.files)
	if u.unlinked > 0 {
		text += fmt.Sprintf(" and %d of them in open files that were removed", u.unlinked)
	}
	if u.tooLong > 0 {
		text += fmt.Sprintf(", %d of them with a path of more than %d bytes", u.tooLong, maxPath)
	}
	return text
}

// isWithin tells whether no number is larger than the other's.
func (u usage) isWithin(most usage) bool {
	return u.bytes <= most.bytes && u.files <= most.files && u.tooLong <= most.tooLong
}

func (w *workspaces) quota() usage { return usage{bytes: w.MaxBytes, files: w.MaxFiles} }

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
