package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/conductor/conductor"
)

// A build is the document of "version --json".
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func thisBuild() build {
	b := build{Version: conductor.Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Revision = setting.Value
			}
		}
	}
	return b
}

func (b build) String() string {
	text := fmt.Sprintf("conductor %s (%s, %s/%s)", b.Version, b.Go, b.OS, b.Arch)
	if b.Revision != "" {
		text += " " + b.Revision
	}
	return text
}

func versionCommand() *command {
	return &command{
		name:  "version",
		usage: "[FLAGS]",
		short: "print the version",
		long: `
Prints the version of conductor and of the Go that built it.

Example:
  conductor version --json`,
		define: func(flags *flag.FlagSet) action {
			asJSON := jsonFlag(flags)
			return func(_ context.Context, s *streams, args []string) error {
				switch {
				case len(args) > 0:
					return usagef("takes no argument, but there is %q", args[0])
				case *asJSON:
					return writeJSON(s.stdout, thisBuild())
				}
				_, err := fmt.Fprintln(s.stdout, thisBuild())
				return err
			}
		},
	}
}
