package provision

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/procgroup"
)

const (
	// progressInterval is how often a download says that it is still under way.
	progressInterval = 2 * time.Second
	// maxStderr is how much of what npm complains about is kept.
	maxStderr = 4 << 10
)

// pack lets npm fetch the package's archive into the folder and returns its path.
func (p Pin) pack(ctx context.Context, dir string, progress func(string)) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("neither %s nor npm is installed: install npm, and %s %s is fetched with it, or install %s and set %s to its path",
			strings.TrimSuffix(filepath.Base(p.File), ".exe"), p.Title, p.Version, p.Title, p.Variable)
	}
	progress(fmt.Sprintf("%s is not installed: fetching %s@%s with npm (%d MB, once)", p.Title, p.Name, p.Version, p.Megabytes))
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", dir, p.Name+"@"+p.Version)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	procgroup.Own(cmd)
	cmd.Cancel = func() error { return procgroup.Kill(cmd) }
	var stderr head
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
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("npm pack %s@%s: %w: %s", p.Name, p.Version, err, strings.TrimSpace(string(stderr)))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s@%s left %d archives, want 1", p.Name, p.Version, len(found))
	}
	return found[0], nil
}

// A head keeps the beginning of what is written to it.
type head []byte

func (h *head) Write(b []byte) (int, error) {
	*h = append(*h, b[:min(len(b), maxStderr-len(*h))]...)
	return len(b), nil
}
