//go:build unix

package conductor_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/conductor/conductor"
)

// A pipe that something put there does not make its host wait for a writer.
func TestWorkspacePipe(t *testing.T) {
	dir := t.TempDir()
	c := newConductor(t, &conductor.Options{LazySandbox: true, Workspaces: conductor.Workspaces{Dir: dir}})
	w := workspace(t, inConversation(t, c, "a"))
	inside, err := filepath.Glob(filepath.Join(dir, "*", "files"))
	if err != nil || len(inside) != 1 {
		t.Fatal(inside, err)
	}
	if err := syscall.Mkfifo(filepath.Join(inside[0], "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := fs.ReadFile(w, "pipe"); err == nil || !strings.Contains(err.Error(), "neither a file nor a folder") {
		t.Errorf("reading a pipe: %v", err)
	}
	if err := w.Remove("pipe"); err != nil {
		t.Error(err)
	}
}
