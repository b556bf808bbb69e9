package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

func doctorCommand() *command {
	return &command{
		name:  "doctor",
		usage: "[FLAGS]",
		short: "say what is wrong with the set-up, and what to do",
		long: `
Looks for Deno, runs a small program with it, opens the store of the conversations if
one is configured, connects to every configured server, and says for each whether it
works, and if not, why and what to do. Without --config it looks at Deno only. It fetches
Deno only with --fetch.

Example:
  conductor doctor --config mcp.json

Exit status 1 means that something is wrong.`,
		define: func(flags *flag.FlagSet) action {
			config, asJSON := configFlag(flags), jsonFlag(flags)
			fetch := flags.Bool("fetch", false, "fetch Deno if there is none")
			return func(ctx context.Context, s *streams, args []string) error {
				if len(args) > 0 {
					return usagef("takes no argument, but there is %q", args[0])
				}
				r := examine(ctx, s, *config, *fetch)
				if err := ctx.Err(); err != nil {
					return err
				}
				if *asJSON {
					if err := writeJSON(s.stdout, r); err != nil {
						return err
					}
				} else {
					r.print(s.stdout)
				}
				if !r.OK {
					return errFailed
				}
				return nil
			}
		},
	}
}

// A report is the document of "doctor --json".
type report struct {
	OK        bool          `json:"ok"`
	Conductor build         `json:"conductor"`
	Deno      denoReport    `json:"deno"`
	Program   programReport `json:"program"`
	Config    *configReport `json:"config,omitempty"`
	Store     *storeReport  `json:"store,omitempty"`
	// Servers is null unless there is a configuration that can be used.
	Servers []serverReport `json:"servers,omitempty"`
}

type denoReport struct {
	State   string `json:"state"` // ok, absent or failed
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Source  string `json:"source,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Advice  string `json:"advice,omitempty"`
}

type programReport struct {
	State      string  `json:"state"` // ok, skipped or failed
	DurationMS float64 `json:"duration_ms,omitempty"`
	// Layers of the operating system were in force; MissingLayers are not offered by
	// this machine, for the reasons given.
	Layers        []string          `json:"layers,omitempty"`
	MissingLayers map[string]string `json:"missing_layers,omitempty"`
	Reason        string            `json:"reason,omitempty"`
}

type configReport struct {
	File     string   `json:"file"`
	Problems []string `json:"problems"`
	// Doubts are what may be meant as it is.
	Doubts []string `json:"doubts,omitempty"`
}

type serverReport struct {
	Name      string `json:"name"`
	State     string `json:"state"` // ready, degraded, failed or disabled
	Transport string `json:"transport"`
	Server    string `json:"server,omitempty"`
	Version   string `json:"version,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Tools     int    `json:"tools"`
	// Beside is what the server offers beside its tools: "resources", "prompts".
	Beside []string `json:"beside,omitempty"`
	// Module is what programs import, if that is not "./mcp/" and the name.
	Module    string  `json:"module,omitempty"`
	ConnectMS float64 `json:"connect_ms"`
	Reason    string  `json:"reason,omitempty"`
	Stderr    string  `json:"stderr,omitempty"`
	Advice    string  `json:"advice,omitempty"`
}

// examine does all that doctor does, servers and sandbox at the same time.
func examine(ctx context.Context, s *streams, config string, fetch bool) *report {
	r := &report{Conductor: thisBuild()}
	options := &conductor.Options{}
	if config != "" {
		r.Config = &configReport{File: config, Problems: []string{}}
		read, err := conductor.ReadConfig(config)
		if err != nil {
			r.Config.Problems = strings.Split(err.Error(), "\n")
		} else {
			options = read
		}
	}
	prepare(options, s)
	options.LazySandbox = true
	if options.StoreURL != "" {
		r.Store = examineStore(ctx, options.StoreURL)
		options.StoreURL = "" // the servers are for themselves
	}
	var examined sync.WaitGroup
	if r.Config != nil && len(r.Config.Problems) == 0 {
		examined.Go(func() { r.examineServers(ctx, s, options) })
	}
	examined.Go(func() { r.examineSandbox(ctx, &options.Sandbox, fetch) })
	examined.Wait()

	r.OK = r.Deno.State != "failed" && r.Program.State != "failed" && (r.Config == nil || len(r.Config.Problems) == 0) && (r.Store == nil || r.Store.State == "ok")
	for _, server := range r.Servers {
		r.OK = r.OK && server.State != string(mcpclient.StateFailed)
	}
	return r
}

func (r *report) examineSandbox(ctx context.Context, options *sandbox.Options, fetch bool) {
	r.Program.State = "skipped"
	deno, wouldFetch, err := lookForDeno(ctx, *options, fetch)
	switch {
	case wouldFetch:
		r.Deno = denoReport{State: "absent", Reason: "Deno is not installed; it is fetched with npm before the first program runs",
			Advice: "run \"conductor doctor --fetch\" to fetch it now"}
		return
	case err != nil:
		r.Deno = denoReport{State: "failed", Reason: err.Error(),
			Advice: "install npm, and a fitting Deno is fetched; or install Deno " + sandbox.MinDeno + " or newer and set CONDUCTOR_DENO, or conductor.deno in the configuration, to its path"}
		return
	}
	r.Deno = denoReport{State: "ok", Path: deno.Path, Version: deno.Version, Source: deno.Source}
	duration, layers, err := tryProgram(ctx, options)
	if err != nil {
		r.Program = programReport{State: "failed", Reason: err.Error()}
		return
	}
	r.Program = programReport{State: "ok", DurationMS: milliseconds(duration), Layers: layers}
	_, r.Program.MissingLayers = sandbox.Layers()
}

// lookForDeno fetches Deno only if it may; else it tells whether the first program
// would.
func lookForDeno(ctx context.Context, options sandbox.Options, fetch bool) (deno sandbox.Deno, wouldFetch bool, err error) {
	if fetch {
		deno, err = sandbox.InstallDeno(ctx, &options)
		return deno, false, err
	}
	deno, err = sandbox.FindDeno(ctx, &options)
	named := options.Deno != "" || os.Getenv("CONDUCTOR_DENO") != "" // then no other is used
	if errors.Is(err, sandbox.ErrNoDeno) && !named {
		_, noNPM := exec.LookPath("npm")
		wouldFetch = noNPM == nil
	}
	return deno, wouldFetch, err
}

// tryProgram runs the smallest program, and tells how long that took.
func tryProgram(ctx context.Context, options *sandbox.Options) (took time.Duration, layers []string, err error) {
	box, err := sandbox.New(ctx, options)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	started := time.Now()
	result, err := box.Run(ctx, &sandbox.Program{Code: "return 1 + 1"})
	switch {
	case err != nil:
		return 0, nil, err
	case result.Phase != sandbox.PhaseOK:
		return 0, nil, fmt.Errorf("return 1 + 1 ended with %s: %w", result.Phase, result.Error)
	case string(result.Value) != "2":
		return 0, nil, fmt.Errorf("return 1 + 1 is %.100s", result.Value)
	}
	return time.Since(started), result.Layers, nil
}

func (r *report) examineServers(ctx context.Context, s *streams, options *conductor.Options) {
	fmt.Fprintf(s.stderr, "conductor: connecting to %s\n", plural(len(options.Servers), "server"))
	c, err := conductor.New(ctx, options)
	if err != nil {
		r.Config.Problems = append(r.Config.Problems, err.Error())
		return
	}
	for i, status := range c.Status() {
		server := serverReport{
			Name: status.Name, State: doctorState(status.State), Transport: status.Transport,
			Server: printable(status.ServerName), Version: printable(status.ServerVersion), Protocol: status.ProtocolVersion,
			Tools: status.Tools, Beside: beside(status.Capabilities), ConnectMS: milliseconds(status.ConnectTime), Stderr: status.Stderr,
		}
		if module := codegen.ModulePath(status.Name); module != "./mcp/"+status.Name {
			server.Module = module
		}
		if status.Err != nil {
			server.Reason = withoutTail(printable(status.Err.Error()), status.Stderr)
			server.Advice = advise(status, &options.Servers[i], options.Client.ConnectTimeout)
		}
		r.Servers = append(r.Servers, server)
	}
	r.Config.Doubts = idlePatterns(options.Policy, r.offered(c))
	if err := c.Close(); err != nil {
		r.Config.Problems = append(r.Config.Problems, err.Error())
	}
}

// doctorState is the state for one who looks once: what will be tried again has failed.
func doctorState(s mcpclient.State) string {
	if s == mcpclient.StateBackoff {
		s = mcpclient.StateFailed
	}
	return string(s)
}

// withoutTail takes the end of a server's output out of a reason, since it is shown
// beside it.
func withoutTail(reason, tail string) string {
	if tail == "" {
		return reason
	}
	return strings.TrimSuffix(strings.TrimSuffix(reason, tail), "; its last output was: ")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func beside(has mcpclient.Capabilities) []string {
	var names []string
	if has.Resources {
		names = append(names, "resources")
	}
	if has.Prompts {
		names = append(names, "prompts")
	}
	return names
}
