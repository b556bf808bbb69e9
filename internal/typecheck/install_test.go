package typecheck

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestPins(t *testing.T) {
	for platform, build := range pins {
		if sum, err := base64.StdEncoding.DecodeString(build[1]); err != nil || len(sum) != 64 {
			t.Errorf("%s: the checksum has %d bytes, %v", platform, len(sum), err)
		}
	}
}

func TestFindRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins of this test are shell scripts")
	}
	for _, test := range []struct{ name, script, want string }{
		{"JavaScript version", "echo Version 5.9.3", "TypeScript 5.9.3 has no native language server"},
		{"something else", "echo v20.0.0", "which is not TypeScript"},
		{"broken", "exit 3", "exit status 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tsc")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+test.script), 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := Find(t.Context(), &Options{TSC: path})
			if !errors.Is(err, ErrNoTSC) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Find: %v, want %q", err, test.want)
			}
			// It is not for Install to use another one.
			t.Setenv(variable, path)
			if _, err := Install(t.Context(), nil); !errors.Is(err, ErrNoTSC) || !strings.Contains(err.Error(), variable) {
				t.Errorf("Install: %v", err)
			}
		})
	}
	t.Run("a script that claims to be it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tsc")
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho Version 7.0.2"), 0o755); err != nil {
			t.Fatal(err)
		}
		c, err := New(t.Context(), &Options{TSC: path})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Check(t.Context(), program("return 1"))
		mustFail(t, err, ErrUnavailable)
	})
}

func TestNoTSC(t *testing.T) {
	t.Setenv(variable, "")
	t.Setenv("PATH", t.TempDir())
	cache := t.TempDir()
	if _, err := Find(t.Context(), &Options{CacheDir: cache}); !errors.Is(err, ErrNoTSC) {
		t.Errorf("Find: %v", err)
	}
	_, err := New(t.Context(), &Options{CacheDir: cache})
	if !errors.Is(err, ErrNoTSC) || !strings.Contains(err.Error(), "neither tsc nor npm is installed") {
		t.Errorf("New: %v", err)
	}
	if _, err := New(t.Context(), &Options{Servers: -1}); err == nil {
		t.Error("New takes a negative number of servers")
	}
}
