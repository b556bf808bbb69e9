package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

const (
	// bootTimeout bounds the time until the harness says that it is ready.
	bootTimeout = 20 * time.Second
	// drainTimeout bounds the wait for pipes that a process left to its own
	// children.
	drainTimeout = time.Second
)

// A process is one Deno process with a booted harness, good for one program.
type process struct {
	cmd    *exec.Cmd
	dir    string
	stdin  io.WriteCloser
	frames *frameReader
	stdout *capture
	stderr *capture

	writeMu sync.Mutex
	endOnce sync.Once
	endErr  error
}

// denoFlags are the flags of a program without any permission. What each refuses
// is in docs/design.md.
func denoFlags(memoryMB int) []string {
	return []string{
		"run", "--quiet", "--no-prompt", "--no-remote", "--no-npm", "--cached-only",
		"--no-config", "--no-lock", "--node-modules-dir=none", "--no-code-cache",
		"--deny-import", fmt.Sprintf("--v8-flags=--max-old-space-size=%d", memoryMB),
	}
}

// environment is all that the process inherits: variables of the host could turn
// Deno's permissions off (DENO_PERMISSION_BROKER_PATH) or redirect it (proxies,
// DENO_DIR, NPM_CONFIG_*).
func environment(dir string) []string {
	env := []string{
		"HOME=" + filepath.Join(dir, "none"),
		"DENO_DIR=" + filepath.Join(dir, "deno"),
		"DENO_NO_UPDATE_CHECK=1",
		"NO_COLOR=1",
		"TZ=UTC",
	}
	if runtime.GOOS == "windows" {
		env = append(env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	return env
}

// start boots a process and waits until its harness is ready.
func (s *Sandbox) start(ctx context.Context) (p *process, err error) {
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	cwd := filepath.Join(dir, "cwd")
	if err := os.Mkdir(cwd, 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), os.RemoveAll(dir))
	}
	p = &process{
		dir:    dir,
		stdout: &capture{limit: s.opts.MaxOutput},
		stderr: &capture{limit: s.opts.MaxOutput},
	}
	p.cmd = exec.Command(s.deno.Path, append(denoFlags(s.opts.MemoryMB), s.harness)...)
	p.cmd.Dir = cwd
	p.cmd.Env = environment(dir)
	p.cmd.Stderr = p.stderr
	p.cmd.WaitDelay = drainTimeout
	ownGroup(p.cmd)
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: starting %s: %w", s.deno.Path, err), os.RemoveAll(dir))
	}
	marker := make([]byte, markerSize)
	_, _ = rand.Read(marker) // never fails, see its documentation
	p.frames = newFrameReader(stdout, marker, maxFrame, func(b []byte) { _, _ = p.stdout.Write(b) })

	bootCtx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	stop := context.AfterFunc(bootCtx, p.kill)
	defer stop()
	if err := p.handshake(marker); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		err = fmt.Errorf("sandbox: booting %s: %w", s.deno.Path, err)
		_ = p.end() // it was killed or has failed: its status says nothing more
		if text, _ := p.stderr.text(); text != "" && ctx.Err() == nil {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	return p, nil
}

func (p *process) handshake(marker []byte) error {
	if err := p.send(map[string]string{"marker": hex.EncodeToString(marker)}); err != nil {
		return err
	}
	frame, err := p.frames.next()
	if err != nil {
		return errors.New("it ended before it was ready")
	}
	var ready message
	if err := json.Unmarshal(frame, &ready); err != nil {
		return err
	}
	if ready.Type != "ready" || ready.Protocol != protocolVersion {
		return fmt.Errorf("harness answers %q of protocol %d, want \"ready\" of %d", ready.Type, ready.Protocol, protocolVersion)
	}
	return nil
}

// send writes a frame to the process. It is safe for concurrent use.
func (p *process) send(v any) error {
	p.writeMu.Lock()
	defer p.writeMu.Unlock()
	return writeFrame(p.stdin, v)
}

// kill ends the process and all that it started. It may be called at any time and
// does not wait.
func (p *process) kill() { killGroup(p.cmd) }

// end kills the process, waits for it and removes its files. It returns how the
// process ended, or that a file stayed.
func (p *process) end() error {
	p.endOnce.Do(func() {
		p.kill()
		_ = p.stdin.Close()
		_ = p.cmd.Wait()
		p.endErr = os.RemoveAll(p.dir)
	})
	return p.endErr
}
