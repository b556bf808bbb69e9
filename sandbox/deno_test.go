package sandbox

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// script puts an executable shell script into a folder of its own.
func script(t *testing.T, name, text string) (path string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins of this test are shell scripts")
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindDenoRefuses(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"too old", "echo deno 2.5.0", "Deno 2.5.0 is too old: versions before " + MinDeno},
		{"much too old", "echo deno 1.46.3", "Deno 1.46.3 is too old"},
		{"not Deno", "echo v20.0.0", "which is not Deno"},
		{"broken", "exit 3", "exit status 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := script(t, "deno", test.script)
			_, err := FindDeno(t.Context(), &Options{Deno: path})
			if !errors.Is(err, ErrNoDeno) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) && test.name != "too old" && test.name != "much too old" {
				t.Errorf("FindDeno: %v, want %q", err, test.want)
			}
			t.Setenv("CONDUCTOR_DENO", path)
			if _, err := FindDeno(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "CONDUCTOR_DENO") {
				t.Errorf("with CONDUCTOR_DENO: %v", err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if _, err := FindDeno(t.Context(), &Options{Deno: "/nonexistent/deno"}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("FindDeno: %v", err)
		}
	})
}

func TestOldDenoInPathIsPassedOver(t *testing.T) {
	old := script(t, "deno", "echo deno 2.5.0")
	t.Setenv("PATH", filepath.Dir(old))
	t.Setenv("CONDUCTOR_DENO", "")
	_, err := InstallDeno(t.Context(), &Options{CacheDir: t.TempDir()})
	// Without npm in PATH there is nothing to fetch it with.
	for _, want := range []string{"Deno 2.5.0 is too old", "neither deno nor npm is installed"} {
		if !errors.Is(err, ErrNoDeno) || !strings.Contains(err.Error(), want) {
			t.Errorf("InstallDeno: %v, want %q", err, want)
		}
	}
}

func TestOlderThan(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"2.8.1", "2.8.1", false}, {"2.8.0", "2.8.1", true}, {"2.10.0", "2.8.1", false}, {"1.99.99", "2.8.1", true}, {"3.0.0", "2.8.1", false}} {
		if got := olderThan(test.a, test.b); got != test.want {
			t.Errorf("olderThan(%s, %s) = %v", test.a, test.b, got)
		}
	}
}

// The real thing: the pinned package comes from the registry, is unpacked and
// runs; afterwards it is found without npm.
func TestProvision(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("npm is not installed")
		}
		t.Skip("this test needs npm")
	}
	if testing.Short() {
		t.Skip("this test downloads 42 MB")
	}
	cache := t.TempDir()
	var said []string
	opts := &Options{CacheDir: cache, Progress: func(s string) { said = append(said, s) }}
	npm, _ := exec.LookPath("npm")
	node, _ := exec.LookPath("node")
	t.Setenv("CONDUCTOR_DENO", "")
	t.Setenv("PATH", strings.Join([]string{onlyLinks(t, npm, node), "/usr/bin", "/bin"}, string(os.PathListSeparator)))
	if d, err := FindDeno(t.Context(), opts); !errors.Is(err, ErrNoDeno) || len(said) > 0 {
		t.Skipf("there is a Deno in the system's own folders: %+v, %v", d, err)
	}
	d, err := InstallDeno(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if pin, err := denoPin(); err != nil || d.Version != pin.Version || !strings.HasPrefix(d.Path, cache) {
		t.Errorf("InstallDeno: %+v", d)
	}
	if log := strings.Join(said, "\n"); !strings.Contains(log, "fetching") || !strings.Contains(log, "is ready") {
		t.Errorf("progress:\n%s", log)
	}
	said = nil
	t.Setenv("PATH", t.TempDir())
	again, err := FindDeno(t.Context(), opts)
	if err != nil || again != d || again.Source != "cache" || len(said) > 0 {
		t.Errorf("FindDeno: %+v, %v, progress %q", again, err, said)
	}
}

// onlyLinks makes a folder with links to the given programs.
func onlyLinks(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range programs {
		if err := os.Symlink(p, filepath.Join(dir, filepath.Base(p))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
