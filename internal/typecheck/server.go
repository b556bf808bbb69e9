package typecheck

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/jail"
)

const (
	// startTimeout is how long a server may take until it can be asked.
	startTimeout = 20 * time.Second
	// maxProjects is how many sets of modules a server keeps. Each costs about 12
	// MB, and the more there are the longer a new one takes.
	maxProjects = 3
	// maxChecks is how many checks a server does before it is replaced: it keeps a
	// little of every file that it has ever seen.
	maxChecks = 1000
	// maxReads is how many folders of packages a server may read at a time.
	maxReads = 8
	// maxStderr is how much of its complaints is kept. Those of a crash come first.
	maxStderr = 64 << 10
	// openFiles is far above what a check needs.
	openFiles = 512
)

// A server is one language server and what it has open. Only kill is safe for
// concurrent use.
type server struct {
	dir    string
	reads  []string
	client *client
	jail   *jail.Process
	pid    int
	stderr *head
	exited chan struct{}

	projects []*project // the longest unused first
	checks   int
}

// A project is a folder with a set of modules, in which one program is open.
type project struct {
	key, dir string
	version  int // of the document
}

// start starts a server that can read the given folders, and shakes hands with it.
// The caller kills it if that takes too long.
func (c *Checker) start(dir string, reads []string) (*server, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	policy, err := jail.Runtime(c.tsc.Path)
	if err != nil {
		return nil, fmt.Errorf("%w; %s needs to be TypeScript's native executable", err, c.tsc.Path)
	}
	// The library is beside the file itself, if this is a link to it.
	real, err := filepath.EvalSymlinks(c.tsc.Path)
	if err != nil {
		return nil, err
	}
	policy.Read = append(policy.Read, filepath.Dir(real), dir, filepath.Join(c.dir.Path, globalsFile), filepath.Join(c.dir.Path, denoFile))
	policy.Read = append(policy.Read, reads...)

	cmd := exec.Command(c.tsc.Path, "--lsp", "-stdio")
	cmd.Dir = dir
	// Nothing is inherited. It is a Go program: these two keep it from taking memory
	// only because there is some, and all processors for one check.
	cmd.Env = []string{fmt.Sprintf("GOMEMLIMIT=%dMiB", c.opts.MemoryMB*3/4), "GOMAXPROCS=2"}
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, reads: reads, stderr: &head{}, exited: make(chan struct{})}
	cmd.Stderr = s.stderr
	if s.jail, err = jail.Start(cmd, policy); err != nil {
		return nil, err
	}
	s.pid = cmd.Process.Pid
	s.client = newClient(stdin, stdout)
	go func() {
		<-s.client.ended
		s.kill() // it may have ended its output only
		_ = s.jail.Wait()
		close(s.exited)
	}()
	if !c.register(s) {
		s.kill()
	}
	defer time.AfterFunc(startTimeout, s.kill).Stop()
	if err := s.handshake(); err != nil {
		c.discard(s)
		return nil, s.failure(err)
	}
	limits := jail.Limits{DataBytes: uint64(c.opts.MemoryMB) << 20, OpenFiles: openFiles}
	if err := s.jail.Limit(limits); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		c.discard(s)
		return nil, err
	}
	return s, nil
}

func (s *server) handshake() error {
	var answer struct{}
	err := s.client.request("initialize", map[string]any{
		// With an id of a process it looks whether that is alive, which the jail
		// forbids.
		"processId": nil,
		"rootUri":   nil,
		"capabilities": map[string]any{"textDocument": map[string]any{
			"diagnostic": map[string]any{"relatedInformation": true},
		}},
		// Without these it sends tens of kilobytes about each change of a document,
		// and diagnostics that nobody has asked for.
		"initializationOptions": map[string]any{"logVerbosity": 5, "disablePushDiagnostics": true},
	}, &answer)
	if err != nil {
		return err
	}
	return s.client.notify("initialized", map[string]any{})
}

// A message is a diagnostic as the server sends it.
type message struct {
	Range    span   `json:"range"`
	Severity int    `json:"severity"`
	Code     int    `json:"code"`
	Message  string `json:"message"`
	Related  []struct {
		Location struct {
			URI   string `json:"uri"`
			Range span   `json:"range"`
		} `json:"location"`
		Message string `json:"message"`
	} `json:"relatedInformation"`
}

// A span begins at a line and a column, both from zero.
type span struct {
	Start struct {
		Line      int `json:"line"`
		Character int `json:"character"`
	} `json:"start"`
}

// check asks for the diagnostics of a program.
func (s *server) check(l *layout) ([]message, error) {
	s.checks++
	p, err := s.project(l)
	if err != nil {
		return nil, err
	}
	uri := fileURI(filepath.Join(p.dir, programFile))
	p.version++
	if p.version == 1 {
		err = s.client.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
			"uri": uri, "languageId": "typescript", "version": p.version, "text": l.program,
		}})
	} else {
		err = s.client.notify("textDocument/didChange", map[string]any{
			"textDocument":   map[string]any{"uri": uri, "version": p.version},
			"contentChanges": []any{map[string]any{"text": l.program}},
		})
	}
	if err != nil {
		return nil, err
	}
	var report struct {
		Items []message `json:"items"`
	}
	params := map[string]any{"textDocument": map[string]any{"uri": uri}}
	if err := s.client.request("textDocument/diagnostic", params, &report); err != nil {
		return nil, err
	}
	for i := range report.Items {
		report.Items[i].localize(p.dir)
	}
	return report.Items, nil
}

// localize takes the project's folder out of the texts and addresses.
func (m *message) localize(dir string) {
	inText := strings.NewReplacer(
		filepath.ToSlash(dir)+"/", "./",
		filepath.ToSlash(filepath.Dir(filepath.Dir(dir)))+"/", "",
	)
	m.Message = inText.Replace(m.Message)
	for i := range m.Related {
		r := &m.Related[i]
		r.Message = inText.Replace(r.Message)
		r.Location.URI = strings.TrimPrefix(r.Location.URI, fileURI(dir)+"/")
	}
}

// project returns the project for a layout, making it if need be.
func (s *server) project(l *layout) (*project, error) {
	if i := slices.IndexFunc(s.projects, func(p *project) bool { return p.key == l.key }); i >= 0 {
		p := s.projects[i]
		s.projects = append(slices.Delete(s.projects, i, i+1), p)
		return p, nil
	}
	if len(s.projects) == maxProjects {
		if err := s.forget(s.projects[0]); err != nil {
			return nil, err
		}
		s.projects = s.projects[1:]
	}
	// A name is never used twice, because the server remembers what it has read; and it
	// cannot be guessed, because an `import type` can name any path.
	p := &project{key: l.key, dir: filepath.Join(s.dir, rand.Text())}
	for name, content := range l.files {
		file := filepath.Join(p.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	s.projects = append(s.projects, p)
	return p, nil
}

func (s *server) forget(p *project) error {
	if p.version > 0 {
		uri := fileURI(filepath.Join(p.dir, programFile))
		if err := s.client.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri}}); err != nil {
			return err
		}
	}
	return os.RemoveAll(p.dir)
}

func (s *server) has(key string) bool {
	return slices.ContainsFunc(s.projects, func(p *project) bool { return p.key == key })
}

// worn tells whether the server has to be replaced, though it works.
func (s *server) worn(memoryMB int) bool {
	return s.checks >= maxChecks || s.residentMB() > memoryMB/2
}

// residentMB is the memory that the server has, as far as the system tells.
func (s *server) residentMB() int {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize() >> 20
}

// failure says why the server failed, by what it has left behind.
func (s *server) failure(err error) error {
	s.kill()
	<-s.exited
	said := s.stderr.String()
	// The last is what Go's own runtime meets when its collector gets no memory; a
	// mistake of TypeScript's is a panic.
	for _, ending := range []string{"out of memory", "cannot allocate memory", "stack exceeds", "stack overflow", "SIGSEGV: segmentation violation"} {
		if strings.Contains(said, ending) {
			return fmt.Errorf("%w: it takes too much memory; use simpler types", ErrTooComplex)
		}
	}
	if said != "" {
		return fmt.Errorf("%w; it said %.300q", err, said)
	}
	return err
}

// kill ends the process. It does not wait.
func (s *server) kill() { s.jail.Kill() }

// close ends the process, waits for that, and removes its files.
func (s *server) close() error {
	s.kill()
	<-s.exited
	return os.RemoveAll(s.dir)
}

// fileURI is the address of an absolute path.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// A head keeps the beginning of what is written to it. It is read when the writer is
// gone.
type head struct{ text strings.Builder }

func (h *head) Write(b []byte) (int, error) {
	h.text.Write(b[:min(len(b), maxStderr-h.text.Len())])
	return len(b), nil
}

func (h *head) String() string { return h.text.String() }
