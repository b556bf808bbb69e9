package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/suggest"
	"github.com/conductor/conductor/mcpclient"
)

func findCommand() *command {
	return &command{
		name:  "find",
		usage: "--config FILE [FLAGS] QUERY…",
		short: "search the tools of all servers by what they do",
		long: `
Searches for tools by what they do, or by name, and prints them best first, each with
its signature and how well it fits, from 0 to 1.

Example:
  conductor find --config mcp.json --limit 3 list the files of a folder

Exit status 1 means that no tool was found.`,
		define: func(flags *flag.FlagSet) action {
			config, asJSON := configFlag(flags), jsonFlag(flags)
			server := flags.String("server", "", "search the tools of the server `NAME` only")
			limit := flags.Int("limit", 8, "print at most `N` tools, up to 100")
			return func(ctx context.Context, s *streams, args []string) error {
				query := strings.TrimSpace(strings.Join(args, " "))
				switch {
				case query == "":
					return usagef("wants some words that say what the tool should do")
				case *limit < 1 || *limit > 100:
					return usagef("--limit is %d; want 1 to 100", *limit)
				}
				options, err := readConfig(*config, s)
				if err != nil {
					return err
				}
				if *server != "" {
					if options.Servers, err = only(options.Servers, *server); err != nil {
						return err
					}
				}
				options.LazySandbox = true
				return withConversation(ctx, s, options, *config, "", func(_ *conductor.Conductor, conv *conductor.Conversation) error {
					found, err := conv.FindTools(ctx, query, &conductor.FindOptions{Server: *server, Limit: *limit})
					if err != nil {
						return err
					}
					return showFound(s, found, *asJSON)
				})
			}
		},
	}
}

// only keeps one server, so that nobody waits for the others.
func only(servers []mcpclient.Server, name string) ([]mcpclient.Server, error) {
	var names []string
	for _, server := range servers {
		if server.Name == name {
			if server.Disabled {
				return nil, usagef("server %s is disabled in the configuration", name)
			}
			return []mcpclient.Server{server}, nil
		}
		names = append(names, server.Name)
	}
	hint := suggest.DidYouMean(name, names)
	if hint == "" && len(names) > 0 {
		hint = "; there are " + strings.Join(names, ", ")
	}
	return nil, usagef("there is no server %q in the configuration%s", name, hint)
}

func showFound(s *streams, found *conductor.FindResult, asJSON bool) error {
	if asJSON {
		if err := writeJSON(s.stdout, found); err != nil {
			return err
		}
	}
	if len(found.Tools) == 0 {
		fmt.Fprintln(s.stderr, "conductor find: no tool matches; try other words")
		return errFailed
	}
	if asJSON {
		return nil
	}
	for _, tool := range found.Tools {
		fmt.Fprintf(s.stdout, "%s  %.2f\n  %s\n", printable(tool.Name), tool.Score, printable(tool.Signature))
		if tool.Description != "" {
			fmt.Fprintf(s.stdout, "  %s\n", printable(tool.Description))
		}
	}
	return nil
}

func specCommand() *command {
	return &command{
		name:  "spec",
		usage: "--config FILE [FLAGS] SERVER.TOOL…",
		short: "print the TypeScript of tools",
		long: `
Prints the import line and the full TypeScript of the named tools, as a model reads
them before it writes a program.

Example:
  conductor spec --config mcp.json files.read_file files.list_directory

Exit status 1 means that a name is not known.`,
		define: func(flags *flag.FlagSet) action {
			config, asJSON := configFlag(flags), jsonFlag(flags)
			return func(ctx context.Context, s *streams, args []string) error {
				if len(args) == 0 {
					return usagef("wants the names of tools, such as files.read_file")
				}
				options, err := readConfig(*config, s)
				if err != nil {
					return err
				}
				options.LazySandbox = true
				return withConversation(ctx, s, options, *config, "", func(c *conductor.Conductor, conv *conductor.Conversation) error {
					loaded, err := conv.LoadToolSpec(ctx, args...)
					if err != nil {
						return err
					}
					return showSpecs(s, c, loaded, *asJSON)
				})
			}
		},
	}
}

func showSpecs(s *streams, c *conductor.Conductor, loaded *conductor.LoadResult, asJSON bool) error {
	if asJSON {
		if err := writeJSON(s.stdout, loaded); err != nil {
			return err
		}
	} else {
		imported := ""
		for _, spec := range loaded.Specs {
			if spec.Import != imported {
				imported = spec.Import
				fmt.Fprintf(s.stdout, "%s\n\n", imported)
			}
			fmt.Fprintf(s.stdout, "%s\n\n", printable(strings.TrimSpace(spec.TypeScript)))
		}
	}
	for _, unknown := range loaded.Unknown {
		fmt.Fprintf(s.stderr, "conductor spec: %s\n", printable(explainUnknown(c, unknown)))
	}
	if len(loaded.Unknown) > 0 {
		return errFailed
	}
	return nil
}

// explainUnknown says what to type instead.
func explainUnknown(c *conductor.Conductor, unknown conductor.UnknownTool) string {
	isServer := slices.ContainsFunc(c.Status(), func(s mcpclient.Status) bool { return s.Name == unknown.Name && s.State.Available() })
	switch {
	case isServer:
		var names []string
		for _, tool := range c.Tools() {
			if tool.Server == unknown.Name {
				names = append(names, tool.ID())
			}
		}
		return fmt.Sprintf("%s is a server; its tools are %s", unknown.Name, strings.Join(names, ", "))
	case unknown.Reason != "":
		return fmt.Sprintf("there is no tool %s now: %s", unknown.Name, unknown.Reason)
	case len(unknown.Suggestions) > 0:
		return fmt.Sprintf("there is no tool %q; the nearest names are %s", unknown.Name, strings.Join(unknown.Suggestions, ", "))
	}
	return fmt.Sprintf("there is no tool %q; \"conductor find\" searches for what a tool does", unknown.Name)
}
