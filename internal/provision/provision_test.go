package provision

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
)

// archive makes a package of the members and a pin of it.
func archive(t *testing.T, members ...tar.Header) (path string, pin Pin) {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for _, m := range members {
		content := "content of " + m.Name
		m.Size = int64(len(content))
		if m.Typeflag != tar.TypeReg {
			m.Size, content = 0, ""
		}
		if err := w.WriteHeader(&m); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "made.tgz")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(b.Bytes())
	return path, Pin{
		Title: "Tool", Name: "@made/tool", Version: "1.2.3", SHA512: base64.StdEncoding.EncodeToString(sum[:]),
		File: "lib/tool", Whole: true, Variable: "MADE_TOOL",
	}
}

func file(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600}
}

// fakeNPM puts an npm in PATH that runs the script, in which $dir is where the
// archive belongs.
func fakeNPM(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for npm is a shell script")
	}
	dir := t.TempDir()
	text := "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = --pack-destination ] && dir=$2; shift; done\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestInstall(t *testing.T) {
	leaktest.Check(t)
	members := []tar.Header{file("package/lib/tool"), file("package/lib/lib.d.ts"), file("package/package.json")}
	for _, whole := range []bool{true, false} {
		source, pin := archive(t, members...)
		pin.Whole = whole
		counter := filepath.Join(t.TempDir(), "runs")
		fakeNPM(t, "echo run >> "+counter+"; cp "+source+" $dir/a.tgz")
		cache := filepath.Join(t.TempDir(), "a", "cache")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				path, err := pin.Install(t.Context(), cache, nil)
				if err != nil {
					t.Error(err)
				}
				if want, _ := pin.Path(cache); path != want {
					t.Errorf("it is in %s, want %s", path, want)
				}
			})
		}
		wg.Wait()
		if runs, _ := os.ReadFile(counter); string(runs) != "run\n" {
			t.Errorf("npm ran %d times, want once", strings.Count(string(runs), "\n"))
		}
		path, _ := pin.Path(cache)
		if got, err := os.ReadFile(path); err != nil || string(got) != "content of package/lib/tool" {
			t.Errorf("the executable is %q, %v", got, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Errorf("the executable has mode %v, %v", info.Mode(), err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "lib.d.ts")); (err == nil) != whole {
			t.Errorf("Whole is %v, and the file beside the executable: %v", whole, err)
		}
		if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) != 2 {
			t.Errorf("the cache has %q, want the folder and the lock", left)
		}
	}
}

func TestInstallKeepsNothingOfAFailure(t *testing.T) {
	leaktest.Check(t)
	for _, test := range []struct {
		name, npm string
		members   []tar.Header
		want      string
		is        error
	}{
		{name: "tampered", npm: "echo evil > $dir/a.tgz", want: "@made/tool@1.2.3: checksum differs", is: ErrChecksum},
		{name: "npm fails", npm: "echo 'npm error 404' >&2; exit 1", want: "npm error 404"},
		{name: "no archive", npm: "true", want: "left 0 archives"},
		{name: "two archives", npm: "touch $dir/a.tgz $dir/b.tgz", want: "left 2 archives"},
		{name: "no executable", members: []tar.Header{file("package/other")}, want: "has no package/lib/tool"},
		{name: "a folder in its place", members: []tar.Header{{Name: "package/lib/tool", Typeflag: tar.TypeDir}}, want: "has no package/lib/tool"},
		{name: "leads out", members: []tar.Header{file("package/../../escaped")}, want: "outside of its folder"},
		{name: "absolute", members: []tar.Header{file("/escaped")}, want: "outside of its folder"},
		{name: "twice", members: []tar.Header{file("package/lib/tool"), file("package/lib/tool")}, want: "exists"},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, pin := archive(t, test.members...)
			if test.npm == "" {
				test.npm = "cp " + source + " $dir/a.tgz"
			}
			fakeNPM(t, test.npm)
			cache := t.TempDir()
			_, err := pin.Install(t.Context(), cache, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Install: %v, want %q", err, test.want)
			}
			left, _ := filepath.Glob(filepath.Join(cache, "*"))
			for _, path := range left {
				if filepath.Base(path) != "tool.lock" {
					t.Errorf("left behind: %s", path)
				}
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		_, pin := archive(t)
		fakeNPM(t, "sleep 60")
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := pin.Install(ctx, t.TempDir(), func(string) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("Install: %v", err)
		}
	})
	t.Run("no npm", func(t *testing.T) {
		_, pin := archive(t)
		t.Setenv("PATH", t.TempDir())
		_, err := pin.Install(t.Context(), t.TempDir(), nil)
		if err == nil || !strings.Contains(err.Error(), "neither tool nor npm is installed") || !strings.Contains(err.Error(), "MADE_TOOL") {
			t.Errorf("Install: %v", err)
		}
	})
	t.Run("malformed checksum", func(t *testing.T) {
		_, pin := archive(t)
		pin.SHA512 = "AAAA"
		if _, err := pin.Install(t.Context(), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("Install: %v", err)
		}
	})
}
