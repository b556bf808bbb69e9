package typecheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/conductor/conductor/internal/provision"
)

// version is the TypeScript that is fetched. The platforms' packages come out
// together.
const version = "7.0.2"

// minMajor is the first TypeScript that is a native executable with a language
// server in it.
const minMajor = 7

// variable names an executable of the host's own.
const variable = "CONDUCTOR_TSC"

// pins are the published builds, by platform: the package's suffix and checksum.
var pins = map[string][2]string{
	"linux/amd64":   {"linux-x64", "EYdf2cNg7rgCWJnxCdJ+F3V39O8ihb37eHAu1LK8oAFizgTQbPOK7zHHXbPt8rX24COqODXeI3sIf0fCXG7H/A=="},
	"linux/arm64":   {"linux-arm64", "Qh4eU4/y3yDjnfjjyPYihMj5/ODIlmt+Bzu17OI+fiSRDW57QmU5SiN63exPRNJPKUzcc1INa1NXdrJ+MqHjUQ=="},
	"darwin/amd64":  {"darwin-x64", "SZ9xZInqApNlNGc9s0W1VSsktYSOe9cFqNOIqmN1Gs8SmkjKZYFt017G4VwPxASInODuAdbTW7sXiFUf893RgA=="},
	"darwin/arm64":  {"darwin-arm64", "gowzar9MwS/aRWp6f3a4KUqzRjAZjOsmGNCM6LcTgXum+dBfgsBVMN+AgvOCCbguXyick6LJhpBszxMebJ8syA=="},
	"windows/amd64": {"win32-x64", "0BQ3HkAHHlKLSp1qRvf3SUhGpGsDuhB/jgFw75guyqbxJqEaS0Cw/VFO8i2nHglJUzQCRtMMR/IBAKE3ETMC4g=="},
	"windows/arm64": {"win32-arm64", "Gyl1Vy6OsWesLzmq+EP0Fb7b4Nid5232AvcA2SFcdYreldpNtYFFofPjnt62y9hQy7VTaZp65ICJjuAQRaVcIQ=="},
}

// pin returns the build for this platform.
func pin() (provision.Pin, error) {
	platform := runtime.GOOS + "/" + runtime.GOARCH
	build, ok := pins[platform]
	if !ok {
		return provision.Pin{}, fmt.Errorf("there is no pinned TypeScript for %s: build its native version and set %s to the path of tsc", platform, variable)
	}
	file := "lib/tsc"
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	return provision.Pin{
		Title: "TypeScript", Name: "@typescript/typescript-" + build[0], Version: version, SHA512: build[1],
		// The declarations of the language are beside the executable.
		File: file, Whole: true, Megabytes: 10, Variable: variable,
	}, nil
}

// ErrNoTSC is wrapped by the errors of [Find], [Install] and [New] when there is no
// TypeScript that can be used, and none could be fetched.
var ErrNoTSC = errors.New("no usable TypeScript")

// errNamedTSC is the ErrNoTSC of an executable that was asked for by name: it is not
// for the library to use another one.
var errNamedTSC = fmt.Errorf("%w", ErrNoTSC)

// A TSC is TypeScript's native executable and what is known of it.
type TSC struct {
	// Path is absolute. The declarations of the language are in its folder.
	Path string
	// Version is like "7.0.2".
	Version string
	// Source says where it was found: "options", "CONDUCTOR_TSC" or "cache".
	Source string
}

// Find looks for TypeScript in Options.TSC, the variable CONDUCTOR_TSC and the cache
// folder, in this order. It does not look in PATH, where tsc is nearly always the
// JavaScript version. If one of the first two names an executable that cannot be
// used, that is an error. If there is none the error wraps [ErrNoTSC]. Options may
// be nil; only TSC and CacheDir are used.
func Find(ctx context.Context, options *Options) (TSC, error) {
	var opts Options
	if options != nil {
		opts = *options
	}
	for _, named := range []struct{ source, path string }{{"options", opts.TSC}, {variable, os.Getenv(variable)}} {
		if named.path != "" {
			found, err := inspect(ctx, named.path, named.source)
			if err != nil {
				return TSC{}, fmt.Errorf("%w: the one named by %s: %w", errNamedTSC, named.source, err)
			}
			return found, nil
		}
	}
	cache, pin, err := place(&opts)
	if err != nil {
		return TSC{}, fmt.Errorf("%w: %w", ErrNoTSC, err)
	}
	path, err := pin.Path(cache)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return TSC{}, fmt.Errorf("%w: there is none in the cache folder %s", ErrNoTSC, cache)
	}
	// The folder is named by a checksum, and complete if it is there.
	return TSC{Path: path, Version: version, Source: "cache"}, nil
}

// Install does what [Find] does; if there is no TypeScript it fetches the pinned
// version for this platform with npm, compares the checksum and unpacks it into the
// cache folder. Several processes may do so at the same time: one fetches, the
// others wait.
func Install(ctx context.Context, options *Options) (TSC, error) {
	found, notFound := Find(ctx, options)
	if notFound == nil || errors.Is(notFound, errNamedTSC) || ctx.Err() != nil {
		return found, notFound
	}
	var opts Options
	if options != nil {
		opts = *options
	}
	cache, pin, err := place(&opts)
	if err != nil {
		return TSC{}, fmt.Errorf("%w: %w", ErrNoTSC, err)
	}
	path, err := pin.Install(ctx, cache, opts.Progress)
	if err != nil {
		if ctx.Err() != nil {
			return TSC{}, ctx.Err()
		}
		return TSC{}, fmt.Errorf("%w: %w", notFound, err)
	}
	return TSC{Path: path, Version: version, Source: "cache"}, nil
}

// place returns the cache folder and what belongs into it.
func place(opts *Options) (cache string, p provision.Pin, err error) {
	if p, err = pin(); err != nil {
		return "", p, err
	}
	if opts.CacheDir != "" {
		cache, err = filepath.Abs(opts.CacheDir)
		return cache, p, err
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", p, fmt.Errorf("there is no cache folder, set Options.CacheDir: %w", err)
	}
	return filepath.Join(user, "conductor"), p, nil
}

var versionLine = regexp.MustCompile(`^Version ((\d+)\.\S+)`)

// inspect runs a named executable to learn its version.
func inspect(ctx context.Context, path, source string) (TSC, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	path, err := exec.LookPath(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return TSC{}, err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	output, err := cmd.Output()
	if err != nil {
		return TSC{}, fmt.Errorf("%s --version: %w", path, err)
	}
	found := versionLine.FindSubmatch(output)
	if found == nil {
		return TSC{}, fmt.Errorf("%s --version says %.60q, which is not TypeScript", path, output)
	}
	if major, err := strconv.Atoi(string(found[2])); err != nil || major < minMajor {
		return TSC{}, fmt.Errorf("TypeScript %s has no native language server: name the file lib/tsc of a platform package of version %d or newer, or unset it to let the pinned version be fetched", found[1], minMajor)
	}
	return TSC{Path: path, Version: string(found[1]), Source: source}, nil
}
