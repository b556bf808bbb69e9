package sandbox

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A pin is one published build of Deno. The checksum is the registry's integrity
// of the npm package, compared again after the download.
type pin struct {
	name, version, sha512 string
	megabytes             int // of the download, for people who wait
}

// denoPins are the builds that are fetched, by platform. The versions differ where
// a platform's package appeared later than the others.
var denoPins = map[string]pin{
	"linux/amd64":   {"@deno/linux-x64-glibc", "2.9.6", "3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ==", 42},
	"linux/arm64":   {"@deno/linux-arm64-glibc", "2.9.5", "IuYjsz9PGl7CJcNXMuN27KNDB8Q40brK3SG3l+TXMDVW61ZKwcn0fQHBHnXFiiygEwI8by/fKnASEluhZB1atw==", 40},
	"darwin/amd64":  {"@deno/darwin-x64", "2.9.5", "gbdlxWZuAZFiJiZtTT00Mv/aC7f/31+pyqJGQKlZr5X33WeTo5B0GG+efcX3P1UZceRKHuPEAQ1B/M2oRt8r9Q==", 40},
	"darwin/arm64":  {"@deno/darwin-arm64", "2.9.5", "SX98qSdBT1lw9x6NwGwx2xIayl1kRimdRnFohYlJ6nt3mLKzTKHHKQwQs5D2pEY7mbUGGbYe9brM2kfN75pPkg==", 40},
	"windows/amd64": {"@deno/win32-x64", "2.9.5", "LkcERsH0olOgevg9L9eootSr1U8ydyfnX1bS3mFqU+lGBeTYtlec5b/QF473WUOGVgPlWECrkxi4As5kEaFOzg==", 40},
	"windows/arm64": {"@deno/win32-arm64", "2.9.5", "tTPrE/4SX7uaC8nJW47iNnibtjzk1y4zoiYjBBHE34vdkbb6LHopqH68BxyT61HZdfqXzOTEYjDVHhtmVZFy+w==", 40},
}

// denoHome is where the pinned Deno of this platform is, once it was fetched.
func denoHome(opts *Options) (p pin, path string, err error) {
	p, ok := denoPins[platform()]
	if !ok {
		return p, "", fmt.Errorf("there is no pinned Deno for %s: install Deno %s or newer and set CONDUCTOR_DENO to its path", platform(), MinDeno)
	}
	cache, err := opts.cacheDir()
	if err != nil {
		return p, "", err
	}
	path, err = p.path(cache)
	return p, path, err
}

func (o *Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return o.CacheDir, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no cache folder, set Options.CacheDir: %w", err)
	}
	return filepath.Join(user, "conductor"), nil
}

// path is where the executable belongs in a cache folder: in a folder of its own,
// named by the checksum of what was unpacked into it.
func (p pin) path(cache string) (string, error) {
	sum, err := p.checksum()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "deno-"+p.version+"-"+hex.EncodeToString(sum[:6]), executable), nil
}

func (p pin) checksum() ([]byte, error) {
	sum, err := base64.StdEncoding.DecodeString(p.sha512)
	if err != nil || len(sum) != sha512.Size {
		return nil, fmt.Errorf("the pinned checksum of %s is malformed", p.name)
	}
	return sum, nil
}

// executable is the name of Deno's file, in the package and in the cache.
var executable = map[bool]string{false: "deno", true: "deno.exe"}[runtime.GOOS == "windows"]

func cachedDeno(ctx context.Context, opts *Options) (Deno, error) {
	_, path, err := denoHome(opts)
	if err != nil {
		return Deno{}, err
	}
	if _, err := os.Stat(path); err != nil {
		return Deno{}, errors.New("there is none in PATH or in the cache folder")
	}
	return inspectDeno(ctx, path, "cache")
}

func fetchDeno(ctx context.Context, opts *Options) (string, error) {
	pin, path, err := denoHome(opts)
	if err != nil {
		return "", err
	}
	return path, pin.install(ctx, path, opts.Progress)
}

// install puts the pinned executable at its path unless it is there.
func (p pin) install(ctx context.Context, path string, progress func(string)) error {
	sum, err := p.checksum()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	cache := filepath.Dir(dir)
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, filepath.Join(cache, "deno.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return nil // another process was faster
	}
	staging, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging)
	tarball, err := p.pack(ctx, staging, progress)
	if err != nil {
		return err
	}
	if err := checkSum(tarball, sum); err != nil {
		return fmt.Errorf("%s@%s: %w", p.name, p.version, err)
	}
	progress("checksum is right, unpacking")
	unpacked := filepath.Join(staging, "unpacked")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		return err
	}
	if err := unpackFile(ctx, tarball, "package/"+executable, filepath.Join(unpacked, executable)); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(tarball), err)
	}
	if err := os.Rename(unpacked, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	progress("Deno " + p.version + " is ready in " + dir)
	return nil
}

// progressInterval is how often a download says that it is still under way.
const progressInterval = 2 * time.Second

// pack lets npm fetch the package, with the user's own configuration of registry,
// proxy and credentials. npm runs no script of the package.
func (p pin) pack(ctx context.Context, dir string, progress func(string)) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("neither deno nor npm is installed: install npm, and Deno %s is fetched with it, or install Deno and set CONDUCTOR_DENO to its path", p.version)
	}
	progress(fmt.Sprintf("Deno is not installed: fetching %s@%s with npm (%d MB, once)", p.name, p.version, p.megabytes))
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, p.name+"@"+p.version)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { killGroup(cmd); return nil }
	var stderr capture
	stderr.limit = 4 << 10
	cmd.Stderr = &stderr

	started := time.Now()
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case err = <-done:
			running = false
		case <-ticker.C:
			progress(fmt.Sprintf("still fetching, %v so far", time.Since(started).Round(time.Second)))
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		said, _ := stderr.text()
		return "", fmt.Errorf("npm pack %s@%s: %w: %s", p.name, p.version, err, strings.TrimSpace(said))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s@%s left %d archives, want 1", p.name, p.version, len(found))
	}
	progress(fmt.Sprintf("fetched in %v, comparing the checksum", time.Since(started).Round(100*time.Millisecond)))
	return found[0], nil
}

// ErrChecksum means that a download is not the file that was pinned. Nothing of it
// is kept.
var ErrChecksum = errors.New("checksum differs from the pinned one")

func checkSum(file string, want []byte) error {
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

// unpackFile writes one member of a gzipped tar archive to an executable file.
func unpackFile(ctx context.Context, archive, member, target string) (err error) {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if err == io.EOF {
			return fmt.Errorf("the archive has no %s", member)
		}
		if err != nil {
			return err
		}
		if header.Name != member {
			continue
		}
		out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, contextReader{ctx, r})
		return errors.Join(err, out.Close())
	}
}

// A contextReader fails when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
