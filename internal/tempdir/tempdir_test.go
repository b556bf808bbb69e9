package tempdir

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// holder makes this binary a process that has a folder and waits to be killed.
const holder = "hold-a-folder"

func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], holder) {
		d, err := Make()
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString(d.Path)
		os.Stdout.Close()
		select {}
	}
	os.Exit(m.Run())
}

// aged makes a folder look as if it were made before.
func aged(t *testing.T, path string) {
	t.Helper()
	before := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestMake(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d, err := Make()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path, "a"), nil, 0o400); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(d.Path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	for range 2 {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if exists(d.Path) {
		t.Error("it is still there")
	}
}

func TestSweep(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("locks are not between processes here")
	}
	root := t.TempDir()
	t.Setenv("TMPDIR", root)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func() (*exec.Cmd, string) {
		cmd := exec.Command(executable, holder)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stdout = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		path := make([]byte, 4096)
		n, _ := r.Read(path)
		if n == 0 {
			t.Fatal("the process has no folder")
		}
		return cmd, string(path[:n])
	}
	dead, left := start()
	alive, held := start()
	defer alive.Wait()
	defer alive.Process.Kill()
	if err := dead.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = dead.Wait()

	sweep(root)
	if !exists(left) {
		t.Error("a folder that was just made is gone")
	}
	foreign := filepath.Join(root, Prefix+"1") // without a lock: not made here
	named := filepath.Join(root, Prefix+"results")
	link := filepath.Join(root, Prefix+"2")
	if err := errors.Join(os.Mkdir(foreign, 0o700), os.Mkdir(named, 0o700), os.WriteFile(filepath.Join(named, ".conductor-lock"), nil, 0o600), os.Symlink(left, link), os.WriteFile(filepath.Join(root, Prefix+"3"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{left, held, foreign, named} {
		aged(t, path)
	}
	sweep(root)
	if exists(left) {
		t.Error("the folder of a process that was killed is still there")
	}
	for _, path := range []string{held, foreign, named, link, filepath.Join(root, Prefix+"3")} {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
}
