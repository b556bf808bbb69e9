package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// print writes the report for people.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nSandbox\n", r.Conductor)
	switch r.Deno.State {
	case "ok":
		fmt.Fprintf(w, "  ok        Deno %s, %s (from %s)\n", r.Deno.Version, r.Deno.Path, denoSource(r.Deno.Source))
	default:
		fmt.Fprintf(w, "  %-9s Deno\n", r.Deno.State)
		details(w, r.Deno.Reason, "", r.Deno.Advice)
	}
	switch r.Program.State {
	case "ok":
		fmt.Fprintf(w, "  ok        a program ran in %.0f ms\n", r.Program.DurationMS)
		r.printLayers(w)
	case "failed":
		fmt.Fprint(w, "  failed    running a program\n")
		details(w, r.Program.Reason, "", "")
	}
	if r.Store != nil {
		r.Store.print(w)
	}
	if r.Config != nil {
		r.printConfig(w)
	}
	if r.OK {
		fmt.Fprint(w, "\nAll is well.\n")
		return
	}
	failed := 0
	for _, s := range r.Servers {
		if s.State == "failed" {
			failed++
		}
	}
	switch {
	case failed == len(r.Servers) && failed > 0:
		fmt.Fprint(w, "\nNo server can be used.\n")
		return
	case failed > 0:
		fmt.Fprintf(w, "\n%s of %d cannot be used; the others can.\n", plural(failed, "server"), len(r.Servers))
		return
	}
	fmt.Fprint(w, "\nSomething is wrong, see above.\n")
}

func (r *report) printConfig(w io.Writer) {
	fmt.Fprintf(w, "\nServers in %s\n", r.Config.File)
	for _, problem := range r.Config.Problems {
		fmt.Fprintf(w, "  failed    %s\n", printable(problem))
	}
	if len(r.Config.Problems) > 0 {
		fmt.Fprintf(w, "            %s\n", configHint)
	} else if len(r.Servers) == 0 {
		fmt.Fprint(w, "  none\n")
	}
	for _, doubt := range r.Config.Doubts {
		fmt.Fprintf(w, "  doubtful  %s\n", printable(doubt))
	}
	width := 0
	for _, s := range r.Servers {
		width = max(width, len(s.Name))
	}
	for _, s := range r.Servers {
		switch s.State {
		case "ready", "degraded":
			fmt.Fprintf(w, "  %-9s %-*s  %s, %s, connected in %.0f ms: %s %s\n", strings.Replace(s.State, "ready", "ok", 1), width, s.Name,
				strings.Join(append([]string{plural(s.Tools, "tool")}, s.Beside...), ", "), s.Transport, s.ConnectMS, s.Server, s.Version)
			if s.Module != "" {
				details(w, fmt.Sprintf("programs import it from %q", s.Module), "", "")
			}
			if s.Reason != "" {
				details(w, s.Reason, "", s.Advice)
			}
		case "failed":
			fmt.Fprintf(w, "  failed    %-*s  %s, after %.0f ms\n", width, s.Name, s.Transport, s.ConnectMS)
			details(w, s.Reason, s.Stderr, s.Advice)
		default:
			fmt.Fprintf(w, "  %-9s %s\n", s.State, s.Name)
		}
	}
}

// details are set off under the line that they belong to.
func details(w io.Writer, reason, stderr, advice string) {
	const margin = "            "
	block := func(prefix, text string) {
		for _, line := range strings.Split(strings.TrimSpace(printable(text)), "\n") {
			fmt.Fprintf(w, "%s%s%s\n", margin, prefix, line)
		}
	}
	block("", reason)
	if stderr != "" {
		block("", "the end of its output:")
		block("| ", stderr)
	}
	if advice != "" {
		block("", "-> "+advice)
	}
}

func denoSource(source string) string {
	switch source {
	case "options":
		return "conductor.deno in the configuration"
	case "cache":
		return "Conductor's cache"
	}
	return source
}

// printLayers says what holds programs besides Deno.
func (r *report) printLayers(w io.Writer) {
	layers := strings.Join(r.Program.Layers, ", ")
	if layers == "" {
		layers = "none: Deno's permissions are the only layer"
	}
	fmt.Fprintf(w, "            layers of the operating system: %s\n", layers)
	for _, name := range slices.Sorted(maps.Keys(r.Program.MissingLayers)) {
		fmt.Fprintf(w, "            not offered here: %s (%s)\n", name, r.Program.MissingLayers[name])
	}
}
