package sandbox

import (
	"context"
	"errors"
	"fmt"
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

// fakeNPM puts an npm in PATH that leaves the given text as the fetched archive.
func fakeNPM(t *testing.T, text string) {
	t.Helper()
	npm := script(t, "npm", fmt.Sprintf("while [ $# -gt 1 ]; do [ \"$1\" = --pack-destination ] && dir=$2; shift; done\n%s", text))
	t.Setenv("PATH", filepath.Dir(npm)+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestInstallKeepsNothingOfAFailure(t *testing.T) {
	linux := denoPins["linux/amd64"]
	for _, test := range []struct {
		name, npm string
		want      string
		is        error
	}{
		{"tampered archive", "echo evil > $dir/deno.tgz", "@deno/linux-x64-glibc@2.9.6: checksum differs from the pinned one", ErrChecksum},
		{"npm fails", "echo 'npm error 404' >&2; exit 1", "npm error 404", nil},
		{"no archive", "true", "left 0 archives", nil},
		{"two archives", "touch $dir/a.tgz $dir/b.tgz", "left 2 archives", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			fakeNPM(t, test.npm)
			cache := t.TempDir()
			path, err := linux.path(cache)
			if err != nil {
				t.Fatal(err)
			}
			err = linux.install(t.Context(), path, func(string) {})
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("install: %v, want %q", err, test.want)
			}
			left, _ := filepath.Glob(filepath.Join(cache, "*"))
			for _, path := range left {
				if filepath.Base(path) != "deno.lock" {
					t.Errorf("left behind: %s", path)
				}
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		fakeNPM(t, "sleep 60")
		ctx, cancel := context.WithCancel(t.Context())
		err := linux.install(ctx, filepath.Join(t.TempDir(), "a", "deno"), func(string) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("install: %v", err)
		}
	})
	t.Run("archive without the executable", func(t *testing.T) {
		archive := filepath.Join(t.TempDir(), "a.tgz")
		if out, err := exec.Command("tar", "-czf", archive, "-C", filepath.Dir(archive), "--files-from", os.DevNull).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		err := unpackFile(t.Context(), archive, "package/deno", filepath.Join(t.TempDir(), "deno"))
		if err == nil || !strings.Contains(err.Error(), "the archive has no package/deno") {
			t.Errorf("unpackFile: %v", err)
		}
	})
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
	if d.Version != denoPins[platform()].version || !strings.HasPrefix(d.Path, cache) {
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
