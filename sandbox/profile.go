package sandbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/jail"
	"github.com/conductor/conductor/internal/treewalk"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

// A Profile says what programs may do and use. Runs of the same profile share a
// pool of waiting processes. The zero value is a program that may only compute and
// call, with the default limits.
type Profile struct {
	// Permissions are what the program may do besides.
	Permissions Permissions
	// Workspace is the absolute path of a folder that becomes the program's working
	// folder, which it may read and write, with what is below it. A symbolic link in
	// it that leads out of it is an error, and so are more than [MaxWorkspaceFiles] files
	// and folders. Empty means an empty folder that the program may not even list.
	Workspace string

	// Dependencies are the packages that programs may import. They give a program
	// neither the network nor a file.
	Dependencies Dependencies

	// MemoryMB is the limit of the JavaScript heap, and also of all memory that the
	// program takes besides what an idle process has (where the layer "rlimits" is
	// in force), in megabytes. Zero means 256. Each Worker needs 525 more, so that
	// with the default there are none.
	MemoryMB int
	// CPU is the processor time that the program may use on all processors
	// together. Zero means 60 s.
	CPU time.Duration
	// FileMB is the size in megabytes to which the program can write a file. Zero
	// means 64.
	FileMB int
	// OpenFiles is how many files and connections it can have open. Zero means 128.
	OpenFiles int

	// PoolSize is [Options.PoolSize] for programs of this profile, if it is not zero:
	// negative for one that is seldom used again, so that no process waits for it.
	PoolSize int
}

// MaxWorkspaceFiles is how many files and folders there may be in a workspace: all of
// them are looked at before each program, for links that lead out.
const MaxWorkspaceFiles = 100_000

const (
	defaultMemoryMB  = 256
	defaultCPU       = time.Minute
	defaultFileMB    = 64
	defaultOpenFiles = 128

	// dataSlackMB is the memory beside the JavaScript heap that V8 needs to use all
	// of it: its collector's spaces and its threads' stacks.
	dataSlackMB = 64
	// maxWorkspacePath is how many bytes a path below a workspace may have, so that
	// looking for links does not take for ever.
	maxWorkspacePath = 4096
	// maxProfiles bounds the pools of a sandbox, and with them the processes that
	// wait. The one that was unused the longest goes first.
	maxProfiles = 16
)

// Isolation says how much the layers of the operating system matter.
type Isolation string

// The choices for [Options.Isolation].
const (
	// IsolationAuto uses the layers that the machine offers.
	IsolationAuto Isolation = ""
	// IsolationRequire makes it an error of [New] if one is missing that Linux
	// offers to everybody: landlock, seccomp, resource limits and the death of the
	// process with its parent.
	IsolationRequire Isolation = "require"
	// IsolationOff leaves the program to Deno's own permissions.
	IsolationOff Isolation = "off"
)

// required are the layers of IsolationRequire.
var required = []jail.Layer{jail.NoNewPrivs, jail.Landlock, jail.Seccomp, jail.ParentDeath, jail.ProcessGroup, jail.Rlimits}

// check returns an error that says what is missing.
func (i Isolation) check() error {
	switch i {
	case IsolationAuto, IsolationOff:
		return nil
	case IsolationRequire:
	default:
		return fmt.Errorf("sandbox: Options.Isolation is %q, want %q, %q or empty", i, IsolationRequire, IsolationOff)
	}
	report := jail.Probe()
	var problems []error
	for _, m := range report.Missing {
		if slices.Contains(required, m.Layer) {
			problems = append(problems, fmt.Errorf("%s: %s", m.Layer, m.Reason))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrIsolation, errors.Join(problems...))
	}
	return nil
}

// ErrIsolation is wrapped by the error of [New] if [IsolationRequire] asks for what
// the machine does not offer.
var ErrIsolation = errors.New("sandbox: layers of the operating system are missing")

// Layers tells which layers of the operating system the machine offers, and for
// those that it does not why.
func Layers() (offered []string, missing map[string]string) {
	report := jail.Probe()
	for _, l := range report.Layers {
		offered = append(offered, string(l))
	}
	missing = map[string]string{}
	for _, m := range report.Missing {
		missing[string(m.Layer)] = m.Reason
	}
	return offered, missing
}

func (p Profile) withDefaults() (Profile, error) {
	for _, field := range []struct {
		name  string
		value int
	}{{"MemoryMB", p.MemoryMB}, {"CPU", int(p.CPU)}, {"FileMB", p.FileMB}, {"OpenFiles", p.OpenFiles}} {
		if field.value < 0 {
			return p, fmt.Errorf("sandbox: Profile.%s is %d, want 0 or more", field.name, field.value)
		}
	}
	setDefault(&p.MemoryMB, defaultMemoryMB)
	setDefault(&p.CPU, defaultCPU)
	setDefault(&p.FileMB, defaultFileMB)
	setDefault(&p.OpenFiles, defaultOpenFiles)
	return p, nil
}

// A prepared profile is one whose permissions were checked, and what becomes of
// them when a process is started.
type prepared struct {
	Profile
	key    string
	flags  []string // of Deno
	env    []string // added to the environment
	policy jail.Policy
	limits jail.Limits
	// granted tells whether there is anything that the namespace Deno is good for.
	granted bool
	// packages are the installed dependencies, or nil.
	packages *deps.Set
	pool     *pool
}

// prepare returns the prepared profile, checking it and installing its packages
// first if it is new.
func (s *Sandbox) prepare(ctx context.Context, p *Profile) (*prepared, error) {
	if p == nil {
		return s.defaults, nil
	}
	filled, err := p.withDefaults()
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(filled)
	if err != nil {
		return nil, fmt.Errorf("sandbox: Profile: %w", err)
	}
	key := string(encoded)
	if known := s.profile(key); known != nil {
		return known, nil
	}
	// Several runs may want the same new profile; its packages are installed once,
	// and the installation ends with the sandbox and not with the first of them.
	s.runs.Add(1) // Close waits for it; the caller's own run keeps this above zero
	made := s.preparing.DoChan(key, func() (any, error) {
		if known := s.profile(key); known != nil {
			return known, nil
		}
		added, err := s.newPrepared(s.closing, filled)
		if err != nil {
			return nil, err
		}
		added.key = key
		added.pool.onIdle = func() { s.forget(added) }
		s.remember(added)
		return added, nil
	})
	select {
	case result := <-made:
		s.runs.Done()
		added, _ := result.Val.(*prepared)
		return added, result.Err
	case <-ctx.Done():
		go func() {
			<-made
			s.runs.Done()
		}()
		return nil, ctx.Err()
	}
}

// profile returns a known profile, and marks it as used.
func (s *Sandbox) profile(key string) *prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.profiles, func(p *prepared) bool { return p.key == key })
	if i < 0 {
		return nil
	}
	known := s.profiles[i]
	s.profiles = append(slices.Delete(s.profiles, i, i+1), known)
	return known
}

func (s *Sandbox) remember(added *prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.profiles = append(s.profiles, added)
	if len(s.profiles) > maxProfiles {
		oldest := s.profiles[0]
		s.profiles = s.profiles[1:]
		s.runs.Go(oldest.pool.close)
	}
}

// forget drops a profile that has not been used for a while. A run that still has
// it boots its own process.
func (s *Sandbox) forget(p *prepared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.profiles = slices.DeleteFunc(s.profiles, func(known *prepared) bool { return known == p })
		s.runs.Go(p.pool.close)
	}
}

func (s *Sandbox) newPrepared(ctx context.Context, p Profile) (*prepared, error) {
	ready := &prepared{Profile: p}
	var err error
	if p.Workspace != "" {
		if ready.Workspace, err = checkWorkspace(p.Workspace); err != nil {
			return nil, fmt.Errorf("sandbox: Profile.Workspace: %w", err)
		}
		ready.Permissions.Read = append(slices.Clip(p.Permissions.Read), ready.Workspace)
		ready.Permissions.Write = append(slices.Clip(p.Permissions.Write), ready.Workspace)
	}
	if ready.flags, err = ready.Permissions.flags(); err != nil {
		return nil, err
	}
	ready.granted = p.Workspace != "" || len(ready.Permissions.Net)+len(ready.Permissions.Read)+len(ready.Permissions.Write)+
		len(ready.Permissions.Env)+len(ready.Permissions.Run)+len(ready.Permissions.FFI)+len(ready.Permissions.Sys) > 0
	for _, name := range p.Permissions.Env {
		if value, ok := os.LookupEnv(name); ok {
			ready.env = append(ready.env, name+"="+value)
		}
	}
	if s.defaults != nil && reflect.DeepEqual(p.Dependencies, s.defaults.Dependencies) {
		ready.packages = s.defaults.packages // every file of it was compared already
	} else if ready.packages, err = s.install(ctx, &p.Dependencies); err != nil {
		return nil, err
	}
	const mb = 1 << 20
	ready.limits = jail.Limits{
		DataBytes: uint64(p.MemoryMB+dataSlackMB) * mb,
		CPU:       p.CPU, FileBytes: uint64(p.FileMB) * mb, OpenFiles: uint64(p.OpenFiles),
	}
	if ready.policy, err = s.policy(ready); err != nil {
		return nil, err
	}
	ready.pool = newPool(cmp.Or(p.PoolSize, s.opts.PoolSize), s.opts.PoolIdle, s.opts.Logger, func(ctx context.Context) (*process, error) { return s.boot(ctx, ready) })
	return ready, nil
}

// policy lets the layers of the operating system follow the grants: what is granted
// opens its layer, and nothing else does.
func (s *Sandbox) policy(p *prepared) (jail.Policy, error) {
	policy, err := jail.Runtime(s.deno.Path)
	if err != nil {
		return policy, fmt.Errorf("sandbox: %w", err)
	}
	for _, granted := range []struct{ from, to *[]string }{{&p.Permissions.Read, &policy.Read}, {&p.Permissions.Write, &policy.Write}} {
		for _, path := range *granted.from {
			real, err := checkPath(path) // was checked by flags
			if err != nil {
				return policy, err
			}
			*granted.to = append(*granted.to, real)
		}
	}
	policy.Network = len(p.Permissions.Net)+len(p.Permissions.Import) > 0
	if len(p.Permissions.Run)+len(p.Permissions.FFI) > 0 {
		// Both are everything, and no wall can be put around everything.
		policy.Without = []jail.Layer{jail.NoNewPrivs, jail.Landlock, jail.Capabilities, jail.Seccomp, jail.Netns}
	}
	if s.opts.Isolation == IsolationOff {
		policy.Without = []jail.Layer{jail.NoNewPrivs, jail.Landlock, jail.Capabilities, jail.Seccomp, jail.Netns, jail.ParentDeath}
	}
	return policy, nil
}

// checkWorkspace returns the folder's real path, if no link in it leads out.
func checkWorkspace(path string) (string, error) {
	root, err := checkPath(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(root); err == nil && !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", root)
	}
	entries := 0
	return root, treewalk.Walk(root, func(_ *os.Root, inside string, entry fs.DirEntry) error {
		if entries++; entries > MaxWorkspaceFiles {
			return fmt.Errorf("%s has more than %d files and folders", root, MaxWorkspaceFiles)
		}
		if len(inside) > maxWorkspacePath {
			return fmt.Errorf("%s has a path of more than %d bytes: %.100s…", root, maxWorkspacePath, inside)
		}
		if entry.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		path := filepath.Join(root, inside)
		target, err := filepath.EvalSymlinks(path)
		if treewalk.IsGone(err) {
			if _, err := os.Lstat(path); treewalk.IsGone(err) {
				return nil // the link itself
			}
			return fmt.Errorf("the link %s leads to what does not exist, and could be made to lead out", path)
		}
		if err != nil {
			return err
		}
		if !within(root, target) {
			return fmt.Errorf("the link %s leads out of the folder, to %s", path, target)
		}
		return nil
	})
}

// within tells whether a path is the folder or below it; /ws-other is not below /ws.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
