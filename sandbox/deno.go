package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// MinDeno is the oldest Deno that is accepted: older ones have known holes in
// their permission checks.
const MinDeno = "2.8.1"

// ErrNoDeno is wrapped by the errors of [FindDeno] and [InstallDeno] when there is no
// Deno that can be used, and none could be fetched.
var ErrNoDeno = errors.New("no usable Deno")

// A Deno is an executable and what is known of it.
type Deno struct {
	// Path is absolute.
	Path string
	// Version is like "2.9.6".
	Version string
	// Source says where it was found: "options", "CONDUCTOR_DENO", "PATH" or
	// "cache".
	Source string
}

// FindDeno looks for Deno in Options.Deno, the variable CONDUCTOR_DENO, PATH and
// the cache folder, in this order, and takes the first that is there. If the first
// two name one that cannot be used, that is an error; one in PATH that is too old
// is passed over. If there is none the error wraps [ErrNoDeno]. Options may be nil;
// only Deno, CacheDir and Progress are used.
func FindDeno(ctx context.Context, options *Options) (Deno, error) {
	opts := denoOptions(options)
	for _, named := range []struct{ source, path string }{{"options", opts.Deno}, {"CONDUCTOR_DENO", os.Getenv("CONDUCTOR_DENO")}} {
		if named.path != "" {
			d, err := inspectDeno(ctx, named.path, named.source)
			if err != nil {
				return Deno{}, fmt.Errorf("%w: the one named by %s: %w", errNamedDeno, named.source, err)
			}
			return d, nil
		}
	}
	var passedOver error
	if path, err := exec.LookPath("deno"); err == nil {
		d, err := inspectDeno(ctx, path, "PATH")
		if err == nil {
			return d, nil
		}
		passedOver = fmt.Errorf("%s in PATH: %w", path, err)
	}
	d, err := cachedDeno(ctx, &opts)
	switch {
	case err == nil:
		return d, nil
	case ctx.Err() != nil:
		return Deno{}, ctx.Err()
	}
	return Deno{}, fmt.Errorf("%w: %w", ErrNoDeno, errors.Join(passedOver, err))
}

// InstallDeno does what [FindDeno] does; if there is no Deno it fetches the pinned
// version for this platform with npm, compares the checksum and unpacks it into the
// cache folder. Several processes may do so at the same time: one fetches, the
// others wait.
func InstallDeno(ctx context.Context, options *Options) (Deno, error) {
	opts := denoOptions(options)
	d, notFound := FindDeno(ctx, &opts)
	if notFound == nil || errors.Is(notFound, errNamedDeno) || ctx.Err() != nil {
		return d, notFound
	}
	path, err := fetchDeno(ctx, &opts)
	if err == nil {
		d, err = inspectDeno(ctx, path, "cache")
	}
	switch {
	case err == nil:
		return d, nil
	case ctx.Err() != nil:
		return Deno{}, ctx.Err()
	}
	return Deno{}, fmt.Errorf("%w: %w", notFound, err)
}

// errNamedDeno is the ErrNoDeno of an executable that was asked for by name: it is
// not for the library to use another one.
var errNamedDeno = fmt.Errorf("%w", ErrNoDeno)

func denoOptions(options *Options) Options {
	var opts Options
	if options != nil {
		opts = *options
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	return opts
}

var denoVersion = regexp.MustCompile(`^deno (\d+\.\d+\.\d+)`)

// inspectDeno runs the executable to learn its version, and refuses it if it is
// too old.
func inspectDeno(ctx context.Context, path, source string) (Deno, error) {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	path, err := exec.LookPath(path)
	if err != nil {
		return Deno{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return Deno{}, err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	// Variables of the host could make it fail, and PATH is for those that are scripts.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"), "NO_COLOR=1", "DENO_NO_UPDATE_CHECK=1"}
	cmd.WaitDelay = time.Second
	output, err := cmd.Output()
	if err != nil {
		return Deno{}, fmt.Errorf("%s --version: %w", path, err)
	}
	found := denoVersion.FindStringSubmatch(string(output))
	if found == nil {
		return Deno{}, fmt.Errorf("%s --version says %.60q, which is not Deno", path, output)
	}
	if olderThan(found[1], MinDeno) {
		return Deno{}, fmt.Errorf("Deno %s is too old: versions before %s have known holes in their permission checks; upgrade it, or unset it to let the pinned version be fetched", found[1], MinDeno)
	}
	return Deno{Path: path, Version: found[1], Source: source}, nil
}

// olderThan compares dotted numbers.
func olderThan(version, other string) bool {
	a, b := strings.Split(version, "."), strings.Split(other, ".")
	for i := range min(len(a), len(b)) {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return len(a) < len(b)
}
