// Package provision fetches an executable that is published as an npm package,
// such as Deno or TypeScript, and keeps it in a cache folder.
//
//	pin := provision.Pin{Title: "Deno", Name: "@deno/linux-x64-glibc", Version: "2.9.6", SHA512: "3md4…", File: "deno"}
//	path, err := pin.Path(cache)                  // where it belongs
//	path, err = pin.Install(ctx, cache, progress) // fetch it unless it is there
//
// npm fetches the archive, with the user's own configuration of registry, proxy and
// credentials, and runs no script of the package. What arrives counts only if its
// checksum is the pinned one. It is unpacked beside its final place and renamed into
// it, so that a folder that is there is complete; several processes may install at
// the same time, one fetches and the others wait.
package provision

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/filelock"
)

// ErrChecksum means that a download is not the file that was pinned. Nothing of it
// is kept. Somebody changed it on its way, or the pin is wrong: do not go around it.
var ErrChecksum = errors.New("checksum differs from the pinned one")

// A Pin is one published package with an executable in it.
type Pin struct {
	// Title is what people call it: "Deno". In lower case it begins the name of the
	// folder and of the lock file.
	Title string
	// Name and Version are the package's own.
	Name, Version string
	// SHA512 is the checksum of its archive in base64, as the registry's integrity
	// has it behind "sha512-".
	SHA512 string
	// File is the executable's path in the package, with slashes: "lib/tsc".
	File string
	// Whole keeps all files of the package; otherwise only File is.
	Whole bool
	// Megabytes is the size of the download, for people who wait.
	Megabytes int
	// Variable is the environment variable by which a host names an executable of
	// its own, for the message that there is no npm.
	Variable string
}

// Path returns where the executable belongs below a cache folder: in a folder named
// by the checksum of what was unpacked into it. It says nothing of whether it is there.
func (p Pin) Path(cache string) (string, error) {
	sum, err := p.checksum()
	if err != nil {
		return "", err
	}
	folder := strings.ToLower(p.Title) + "-" + p.Version + "-" + hex.EncodeToString(sum[:6])
	return filepath.Join(cache, folder, filepath.FromSlash(p.File)), nil
}

func (p Pin) checksum() ([]byte, error) {
	sum, err := base64.StdEncoding.DecodeString(p.SHA512)
	if err != nil || len(sum) != sha512.Size {
		return nil, fmt.Errorf("the pinned checksum of %s is malformed", p.Name)
	}
	return sum, nil
}

// Install puts the executable at its [Pin.Path] unless it is there, and returns the
// path. Progress is told what it does, in words for people; it may be nil.
func (p Pin) Install(ctx context.Context, cache string, progress func(string)) (string, error) {
	if progress == nil {
		progress = func(string) {}
	}
	path, err := p.Path(cache)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	unlock, err := filelock.Lock(ctx, filepath.Join(cache, strings.ToLower(p.Title)+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil // another process was faster
	}
	staging, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staging)
	if err := p.fetch(ctx, staging, progress); err != nil {
		return "", err
	}
	folder := strings.TrimSuffix(path, string(filepath.Separator)+filepath.FromSlash(p.File))
	if err := os.Rename(filepath.Join(staging, unpacked), folder); err != nil {
		// Where there is no lock another process may have put it there meanwhile.
		if _, missing := os.Stat(path); missing != nil {
			return "", err
		}
	}
	progress(fmt.Sprintf("%s %s is ready in %s", p.Title, p.Version, folder))
	return path, nil
}

// unpacked is the folder in which fetch leaves the files.
const unpacked = "unpacked"

// fetch leaves the package's files in the folder unpacked of the staging folder.
func (p Pin) fetch(ctx context.Context, staging string, progress func(string)) error {
	sum, err := p.checksum()
	if err != nil {
		return err
	}
	started := time.Now()
	archive, err := p.pack(ctx, staging, progress)
	if err != nil {
		return err
	}
	progress(fmt.Sprintf("fetched in %v, comparing the checksum", time.Since(started).Round(100*time.Millisecond)))
	if err := compare(archive, sum); err != nil {
		return fmt.Errorf("%s@%s: %w", p.Name, p.Version, err)
	}
	progress("checksum is right, unpacking")
	if err := p.unpack(ctx, archive, filepath.Join(staging, unpacked)); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	return nil
}

func compare(file string, want []byte) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := h.Sum(nil); string(got) != string(want) {
		return fmt.Errorf("%w: sha512 is %s, want %s", ErrChecksum, base64.StdEncoding.EncodeToString(got), base64.StdEncoding.EncodeToString(want))
	}
	return nil
}
