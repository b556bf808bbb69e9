package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os/user"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	_ "github.com/conductor/conductor/conversation/redisstore" // for a store at redis://
	"github.com/conductor/conductor/mcpclient"
)

// configHint is for those whose file is not there or wrong.
const configHint = `Run "conductor help config" for what a configuration file looks like.`

// configFlag declares --config.
func configFlag(flags *flag.FlagSet) *string {
	return flags.String("config", "", "the configuration `FILE`; see \"conductor help config\"")
}

// jsonFlag declares --json.
func jsonFlag(flags *flag.FlagSet) *bool {
	return flags.Bool("json", false, "print one JSON document")
}

// readConfig reads the file of a command that cannot do without.
func readConfig(path string, s *streams) (*conductor.Options, error) {
	if path == "" {
		return nil, usagef("--config FILE is missing")
	}
	options, err := conductor.ReadConfig(path)
	if err != nil {
		return nil, &inputError{err, configHint}
	}
	prepare(options, s)
	return options, nil
}

// prepare directs what the library has to tell people to standard error, and lets it
// wait for the slowest server.
func prepare(options *conductor.Options, s *streams) {
	options.Sandbox.Progress = func(message string) { fmt.Fprintf(s.stderr, "conductor: %s\n", printable(message)) }
	options.Logger = newLogger(s.stderr)
	options.Client.StartupWait = -1 // a person wants to hear of every server
}

// newLogger logs what somebody should know, without the time, which matters little
// in a terminal and which a client's log has anyway.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// conversationFlag declares --conversation.
func conversationFlag(flags *flag.FlagSet) *string {
	return flags.String("conversation", "", "the `ID` of the conversation to go on with, or to begin under this name, if the configuration has a store")
}

// checkConversation returns an error if the conversation that was named cannot last.
func checkConversation(id string, options *conductor.Options) error {
	if id == "" {
		return nil
	}
	if err := conversation.CheckID(id); err != nil {
		return usagef("--conversation: %v", err)
	}
	if options.StoreURL == "" {
		return usagef("--conversation needs a store: \"store\" in the configuration's section \"conductor\" names a folder, or a redis:// URL")
	}
	return nil
}

// withConversation connects to the servers, says which are down, and calls do with
// the conversation of an id. One without is new, and forgotten afterwards.
func withConversation(ctx context.Context, s *streams, options *conductor.Options, config, id string,
	do func(*conductor.Conductor, *conductor.Conversation) error) (err error) {
	c, err := conductor.New(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := c.Close(); err == nil && closeErr != nil {
			err = closeErr
		}
	}()
	down := false
	for _, status := range c.Status() {
		if status.State == mcpclient.StateFailed || status.State == mcpclient.StateBackoff {
			down = true
			fmt.Fprintf(s.stderr, "conductor: server %s is not available: %s\n", status.Name, printable(firstLine(status.Err.Error(), 300)))
		}
	}
	if down {
		fmt.Fprintf(s.stderr, "conductor: run \"conductor doctor --config %s\" for more\n", config)
	}
	conv, err := c.Conversation(ctx, id)
	if err != nil {
		return err
	}
	if id == "" {
		defer func() {
			if deleteErr := c.DeleteConversation(context.WithoutCancel(ctx), conv.ID()); err == nil {
				err = deleteErr
			}
		}()
	}
	if who, userErr := user.Current(); userErr == nil { // else the audit names nobody
		if conv, err = conv.As(who.Username, nil); err != nil {
			return err
		}
	}
	return do(c, conv)
}
