// Package bench measures on this machine what docs/design.md promises of the
// library's speed, memory and tidiness.
//
//	report, err := bench.Run(ctx, &bench.Env{Echo: server}, nil, nil)
//	for _, row := range report.Rows {
//		fmt.Println(row.Name, row.Measured.P50, row.Unit, row.Met)
//	}
//
// Each [Row] is one promise. Where a number alone would say more about the machine
// than about the library, the row has a [Baseline] that was measured in the same
// minute, in turns with it: a bare Deno process, a call without Conductor, a plain
// scan of the tools' texts.
//
// Nothing needs a network or a configuration. The tools that are searched are made
// up, the same ones each time, unless the caller brings a list. Rows run one after
// the other, since they would disturb each other.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/tool"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// An Env is what rows are measured with. Only Echo is required, and only by rows
// that call a server.
type Env struct {
	// Sandbox says how Deno is found, and who hears of its progress.
	Sandbox sandbox.Options
	// Echo starts a process that calls [ServeEcho]. Its name does not matter.
	Echo mcpclient.Server
	// Tools are real tools, which are repeated under other names until there are
	// enough. Empty means tools that are made up.
	Tools []tool.Tool
	// Corpora is the folder of the corpora of real tools, of which the rows of tokens
	// and of modules take theirs if there are no Tools. Empty means tools that are made up.
	Corpora string
	// Sizes is how much is measured. The zero value means [DefaultSizes].
	Sizes Sizes
	// Starting is told the name of each row before it is measured. nil means
	// nobody.
	Starting func(name string)

	deno  sandbox.Deno
	names []string // the layers that were in force in the first run
}

// Sizes say how much is measured for each row.
type Sizes struct {
	Warm, Cold    int           // runs of the smallest program
	CallBlocks    int           // turns of program and direct client
	Calls         int           // calls in each of them, at most 1,000
	RateBlocks    int           // turns of sandbox and bare Deno
	RateBlock     time.Duration // of each of them
	Tools         int           // of the small catalog
	ManyTools     int           // of the large one
	Queries       int           // searches of the small catalog; the large one gets a twentieth
	Indexings     int
	Heaps         int // catalogs and rounds of conversations
	Conversations int // in each round
	Connections   int
	Rounds        int // openings and closings for what is left
	Prompts       int // sets of servers of which prompts are made
}

// DefaultSizes take most of a minute on two processors.
func DefaultSizes() Sizes {
	return Sizes{
		Warm: 200, Cold: 60, CallBlocks: 8, Calls: 250, RateBlocks: 3, RateBlock: 1500 * time.Millisecond,
		Tools: 1000, ManyTools: 100_000, Queries: 1000, Indexings: 10, Heaps: 3,
		Conversations: 1000, Connections: 20, Rounds: 3, Prompts: 30,
	}
}

// QuickSizes take a few seconds. They are enough to see that something is badly
// wrong, and not to judge a p99.
func QuickSizes() Sizes {
	return Sizes{
		Warm: 20, Cold: 8, CallBlocks: 2, Calls: 200, RateBlocks: 1, RateBlock: 500 * time.Millisecond,
		Tools: 1000, ManyTools: 100_000, Queries: 200, Indexings: 3, Heaps: 1,
		Conversations: 1000, Connections: 20, Rounds: 1, Prompts: 5,
	}
}

// A Report is what a machine was found to do.
type Report struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
	// NotMeasured are the promises that have no row. Rows that were not asked for
	// are not among them.
	NotMeasured []string `json:"not_measured"`
}

// A Machine is where the report was made.
type Machine struct {
	Cores int    `json:"cores"` // that Go uses
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Go    string `json:"go"`
	// Load is the load average of the last minute before the measuring, where the
	// system tells it.
	Load *float64 `json:"load,omitempty"`
	// Deno is its version; empty if no row needed one.
	Deno string `json:"deno,omitempty"`
	// Layers are those of the operating system that were in force, and
	// MissingLayers the others with the reason.
	Layers        []string          `json:"layers,omitempty"`
	MissingLayers map[string]string `json:"missing_layers,omitempty"`
}

// unmeasured are the promises that nothing can be measured of yet.
var unmeasured = []string{
	"escape attempts that succeed: 0 (the tests of package sandbox count them)",
}

// Names returns the names of all rows, in the order in which they are measured.
func Names() []string {
	var names []string
	for _, p := range promises {
		names = append(names, p.name)
	}
	return names
}

// Slow tells whether a row takes so long that a quick look goes without it.
func Slow(name string) bool {
	return slices.ContainsFunc(promises, func(p promise) bool { return p.name == name && p.slow })
}

// Run measures the named rows, or all of them if there are no names, and tells each
// of them to done, which may be nil. A row that cannot be measured says so itself;
// the error is not nil if the context ended, a name is unknown, or there is no
// Deno for a row that needs one. Nothing that was started is left running.
func Run(ctx context.Context, env *Env, names []string, done func(Row)) (*Report, error) {
	e := *env
	if e.Sizes == (Sizes{}) {
		e.Sizes = DefaultSizes()
	}
	chosen, err := choose(names)
	if err != nil {
		return nil, err
	}
	report := &Report{Rows: []Row{}, NotMeasured: slices.Clone(unmeasured)}
	report.Machine = Machine{Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Load: load()}
	if slices.ContainsFunc(chosen, func(p promise) bool { return p.deno }) {
		if err := e.findDeno(ctx); err != nil {
			return nil, err
		}
		report.Machine.Deno, report.Machine.Layers = e.deno.Version, e.names
		_, report.Machine.MissingLayers = sandbox.Layers()
	}
	for _, p := range chosen {
		if e.Starting != nil {
			e.Starting(p.name)
		}
		row := p.row(ctx, &e)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		report.Rows = append(report.Rows, row)
		if done != nil {
			done(row)
		}
	}
	return report, nil
}

func choose(names []string) ([]promise, error) {
	if len(names) == 0 {
		return promises, nil
	}
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("there is no row %q", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(promises), func(p promise) bool { return !slices.Contains(names, p.name) }), nil
}

// findDeno finds or fetches Deno once for all rows, and runs one program to see
// that it works, and inside of which layers.
func (e *Env) findDeno(ctx context.Context) (err error) {
	if e.deno, err = sandbox.InstallDeno(ctx, &e.Sandbox); err != nil {
		return err
	}
	e.Sandbox.Deno = e.deno.Path
	box, err := e.box(ctx, noPool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	result, err := smallest(ctx, box)
	if err != nil {
		return err
	}
	e.names = result.Layers
	return nil
}

// load returns the load average of the last minute, or nil where it is not told.
func load() *float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(data), " ")
	average, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return nil
	}
	return &average
}

// children returns the ids of this process's child processes, which only Linux
// tells; elsewhere it finds none.
func children() map[string]bool {
	found := map[string]bool{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // gone already
		}
		// pid (command) state ppid …; the command may hold anything but a later ')'.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			found[filepath.Base(filepath.Dir(stat))] = true
		}
	}
	return found
}

// countFiles counts what is below a folder.
func countFiles(dir string) int {
	n := -1 // the folder itself
	_ = filepath.WalkDir(dir, func(string, fs.DirEntry, error) error { n++; return nil })
	return max(n, 0)
}
