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
	"slices"
	"sync"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/conductor/conductor/internal/jail"
)

const (
	// bootTimeout bounds the time until the harness says that it is ready.
	bootTimeout = 20 * time.Second
	// drainTimeout bounds the wait for the end of a dead process's stderr, which
	// something that escaped its group could hold open.
	drainTimeout = time.Second
)

// A process is one Deno process with a booted harness, good for one program.
type process struct {
	cmd    *exec.Cmd
	jail   *jail.Process
	layers []string // that are in force
	stdin  io.WriteCloser
	output *os.File // the end of its stdout that frames reads
	frames *frameReader
	stdout *capture
	stderr *capture
	errors *errorPipe

	exited  chan struct{} // closed when the process has ended and been waited for
	drained chan struct{} // closed when its stderr has been read to the end

	writeMu sync.Mutex
	endOnce sync.Once
}

// mainModule is a program that reads another one from stdin, framed like everything
// that follows it, and runs it. Deno takes apart each module that it loads, in its own
// parser and again in V8: for all of the harness that takes longer than the smallest
// program. It is not a file, so that stack traces show no path of the host.
const mainModule = "data:text/javascript," +
	"const i=Deno.stdin,r=(n)=>{const b=new Uint8Array(n);for(let a=0;a!==n;){const c=i.readSync(b.subarray(a));if(c===null)Deno.exit(0);a+=c}return b};" +
	"new Function(new TextDecoder().decode(r(new DataView(r(4).buffer).getUint32(0))))()"

// harness is what mainModule runs.
var harness = sync.OnceValue(func() []byte {
	// Each process parses it: the smaller the better.
	small := api.Transform(string(harnessSource), api.TransformOptions{
		Loader: api.LoaderJS, Format: api.FormatIIFE, MinifyWhitespace: true, MinifySyntax: true, MinifyIdentifiers: true,
	})
	if len(small.Errors) > 0 {
		panic(small.Errors[0].Text) // it is part of this program
	}
	return fmt.Appendf(nil, "\"use strict\";%s//# sourceURL=conductor", small.Code)
})

// denoFlags are the flags of a program without any permission; the profile's come
// after them. What each refuses is in docs/design.md. It is a variable for the test
// that shows what holds when Deno permits everything.
var denoFlags = func(memoryMB int) []string {
	return []string{
		"run", "--quiet", "--no-prompt", "--no-npm", "--cached-only",
		"--no-config", "--no-lock", "--node-modules-dir=none", "--no-code-cache",
		fmt.Sprintf("--v8-flags=--max-old-space-size=%d", memoryMB),
	}
}

// environment is all that the process inherits: variables of the host could turn
// Deno's permissions off (DENO_PERMISSION_BROKER_PATH) or redirect it (proxies,
// DENO_DIR, NPM_CONFIG_*). The folder for Deno cannot exist, being below a file: it
// then keeps in memory what it would write there, which is faster and cannot pass
// from run to run.
func (s *Sandbox) environment() []string {
	env := []string{
		"HOME=" + s.cwd(),
		"DENO_DIR=" + filepath.Join(s.nowhere(), "deno"),
		"DENO_NO_UPDATE_CHECK=1",
		"NO_COLOR=1",
		"TZ=UTC",
	}
	if runtime.GOOS == "windows" {
		env = append(env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	return env
}

// nowhere is a file, and cwd the empty folder in which programs without a workspace
// run. No program can write to either.
func (s *Sandbox) nowhere() string { return filepath.Join(s.dir.Path, "nowhere") }
func (s *Sandbox) cwd() string     { return filepath.Join(s.dir.Path, "cwd") }

func (s *Sandbox) makeFiles() error {
	if err := os.WriteFile(s.nowhere(), nil, 0o400); err != nil {
		return err
	}
	return os.Mkdir(s.cwd(), 0o500)
}

// boot starts a process of a profile and waits until its harness is ready.
func (s *Sandbox) boot(ctx context.Context, profile *prepared) (*process, error) {
	p, err := s.start(profile)
	if err != nil {
		return nil, fmt.Errorf("sandbox: starting %s: %w", s.deno.Path, err)
	}
	bootCtx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	defer context.AfterFunc(bootCtx, p.kill)()
	err = p.handshake(profile)
	if err == nil && s.opts.Isolation != IsolationOff {
		// What is not trusted comes after this.
		if err = p.jail.Limit(profile.limits); errors.Is(err, errors.ErrUnsupported) {
			err = nil // New has checked what must be there
		} else if err == nil {
			p.layers = append(p.layers, string(jail.Rlimits))
		}
	}
	if err != nil {
		p.end()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		err = fmt.Errorf("sandbox: booting %s: %w", s.deno.Path, err)
		if text, _ := p.stderr.text(); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, err
	}
	return p, nil
}

// start starts a process.
func (s *Sandbox) start(profile *prepared) (*process, error) {
	p := &process{
		stdout:  &capture{limit: s.opts.MaxOutput},
		stderr:  &capture{limit: s.opts.MaxOutput},
		exited:  make(chan struct{}),
		drained: make(chan struct{}),
	}
	p.cmd = exec.Command(s.deno.Path, slices.Concat(denoFlags(profile.MemoryMB), profile.flags, []string{mainModule})...)
	p.cmd.Dir = s.cwd()
	p.cmd.Env = append(s.environment(), profile.env...)
	if profile.Workspace != "" {
		p.cmd.Dir = profile.Workspace
		if _, err := checkWorkspace(profile.Workspace); err != nil {
			return nil, err // a link has been made since
		}
	}
	// The pipes are made here and not by exec, whose Wait would close them under
	// their reader.
	output, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	errors, stderr, err := os.Pipe()
	if err != nil {
		output.Close()
		return nil, err
	}
	defer stderr.Close()
	p.errors = &errorPipe{file: errors, capture: p.stderr}
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if err = closeDescriptors(p.cmd); err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		p.jail, err = jail.Start(p.cmd, profile.policy)
	}
	if err != nil {
		output.Close()
		errors.Close()
		return nil, err
	}
	for _, l := range p.jail.Layers {
		p.layers = append(p.layers, string(l))
	}
	p.output = output
	marker := make([]byte, markerSize)
	_, _ = rand.Read(marker) // never fails, see its documentation
	p.frames = newFrameReader(output, marker, maxFrame, func(b []byte) { _, _ = p.stdout.Write(b) })
	go func() {
		defer close(p.drained)
		defer errors.Close()
		p.errors.copy()
	}()
	go func() {
		defer close(p.exited)
		_ = p.jail.Wait() // how it ended is in ProcessState
		_ = errors.SetReadDeadline(time.Now().Add(drainTimeout))
	}()
	return p, nil
}

func (p *process) handshake(profile *prepared) error {
	hello := map[string]string{"marker": hex.EncodeToString(p.frames.marker)}
	if profile.packages != nil {
		hello["packages"] = profile.packages.Preload()
	}
	if err := errors.Join(writeFrame(p.stdin, harness()), p.send(hello)); err != nil {
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
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	p.writeMu.Lock()
	defer p.writeMu.Unlock()
	return writeFrame(p.stdin, body)
}

// kill ends the process and all that it started. It may be called at any time and
// does not wait.
func (p *process) kill() { p.jail.Kill() }

// stop kills the process and sees to it that everything it has written until now
// is in stdout and stderr, without waiting for it to be gone.
func (p *process) stop() {
	p.kill()
	_ = p.stdin.Close() // frees whoever writes to it
	p.errors.drain()
}

// end kills the process and waits until it is gone.
func (p *process) end() {
	p.endOnce.Do(func() {
		p.kill()
		<-p.exited
		<-p.drained
		p.output.Close()
	})
}
