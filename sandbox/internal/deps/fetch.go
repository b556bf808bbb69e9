package deps

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/conductor/conductor/internal/procgroup"
)

const (
	// sizeInterval is how often the size of what is being installed is looked at.
	sizeInterval = 100 * time.Millisecond
	// maxSaid is how much of Deno's words is kept; the end says what went wrong.
	maxSaid = 8 << 10
)

// fetch lets Deno resolve and download into tmp/work and tmp/deno. It runs nothing
// of a package: --allow-scripts is not there.
func (i *installer) fetch(ctx context.Context, tmp string) error {
	work := filepath.Join(tmp, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return fmt.Errorf("deps: %w", err)
	}
	imports := map[string]string{}
	for _, spec := range i.specs {
		imports[spec.Name] = spec.String()
	}
	config, err := json.Marshal(map[string]any{
		"imports":        imports,
		"nodeModulesDir": "auto",
		"lock":           map[string]any{"path": lockName, "frozen": i.opts.Lock != nil},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(work, "deno.json"), config, 0o600)
	}
	if err == nil && i.opts.Lock != nil {
		err = os.WriteFile(filepath.Join(work, lockName), i.opts.Lock, 0o600)
	}
	if err != nil {
		return fmt.Errorf("deps: %w", err)
	}

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(ctx, i.opts.Deno, "install", "--config", "deno.json",
		fmt.Sprintf("--min-dep-age=%d", int(i.opts.MinAge.Minutes())))
	cmd.Dir = work
	cmd.Env = i.environment(tmp)
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	procgroup.Own(cmd)
	cmd.Cancel = func() error { return procgroup.Kill(cmd) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("deps: starting %s: %w", i.opts.Deno, err)
	}
	var watch sync.WaitGroup
	done := make(chan struct{})
	watch.Go(func() { i.watchSize(tmp, stop, done) })
	err = cmd.Wait()
	close(done)
	watch.Wait()
	if err == nil && treeSize(tmp) > i.opts.MaxBytes {
		stop(i.tooLarge())
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("deps: installing: %w", cause)
	}
	if err != nil {
		return refusal(said.text(), err, i.opts.Lock != nil)
	}
	return nil
}

// environment is everything that the installation inherits.
func (i *installer) environment(tmp string) []string {
	env := []string{
		"HOME=" + filepath.Join(tmp, "none"),
		"TMPDIR=" + tmp,
		"DENO_DIR=" + filepath.Join(tmp, "deno"),
		"DENO_NO_UPDATE_CHECK=1",
		"DENO_NO_PROMPT=1",
		"DENO_NO_PACKAGE_JSON=1",
		"NO_COLOR=1",
		// So that a registry behind a company's own authority is trusted where the
		// machine trusts it.
		"DENO_TLS_CA_STORE=system,mozilla",
	}
	if runtime.GOOS == "windows" {
		env = append(env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"), "USERPROFILE="+filepath.Join(tmp, "none"))
	}
	return append(env, i.opts.Env...)
}

func (i *installer) tooLarge() error {
	return fmt.Errorf("%w: they take more than %d bytes; raise Options.MaxBytes if that is as it should be", ErrTooLarge, i.opts.MaxBytes)
}

// watchSize stops the installation when it has put too much on the disk.
func (i *installer) watchSize(dir string, stop context.CancelCauseFunc, done <-chan struct{}) {
	ticker := time.NewTicker(sizeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			if treeSize(dir) > i.opts.MaxBytes {
				stop(i.tooLarge())
				return
			}
		}
	}
}

// treeSize counts each file at its length and each entry besides at entrySize, so
// that a million empty files are large, too.
func treeSize(dir string) int64 {
	const entrySize = 256
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		total += entrySize
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // files come and go while Deno works
	})
	return total
}

// refusal explains why Deno did not install.
func refusal(said string, exit error, withLock bool) error {
	kind := error(nil)
	for _, known := range []struct {
		text string
		kind error
	}{
		{"minimum dependency", ErrTooYoung},
		{"ntegrity check failed", ErrIntegrity},
		{"checksum did not match", ErrIntegrity},
		{"Checksum", ErrIntegrity},
		{"lockfile is out of date", ErrLock},
	} {
		if strings.Contains(said, known.text) {
			kind = known.kind
			break
		}
	}
	switch {
	case kind == ErrTooYoung:
		return fmt.Errorf("deps: %w: %s", kind, firstError(said))
	case kind == ErrIntegrity && withLock:
		return fmt.Errorf("deps: %w: the registry serves other bytes than those that are locked, or the lock is of another package: %s", kind, said)
	case kind != nil:
		return fmt.Errorf("deps: %w: %s", kind, said)
	}
	return fmt.Errorf("deps: deno install: %w: %s", exit, firstError(said))
}

// firstError drops what Deno says before its error and its advice on flags.
func firstError(said string) string {
	if at := strings.Index(said, "error: "); at >= 0 {
		said = said[at+len("error: "):]
	}
	said, _, _ = strings.Cut(said, "\nhint:")
	return strings.TrimSpace(said)
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b[max(0, len(b)-maxSaid):]...)
	if over := len(t.kept) - maxSaid; over > 0 {
		t.kept = bytes.Clone(t.kept[over:])
	}
	return len(b), nil
}

// text is safe to log: a registry can put anything into a message.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(string(t.kept), string(unicode.ReplacementChar))))
}
