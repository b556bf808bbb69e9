package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/suggest"
	"github.com/conductor/conductor/mcpclient"
)

func loginCommand() *command {
	return &command{
		name:  "login",
		usage: "--config FILE [FLAGS] SERVER",
		short: "log in to a server that asks for OAuth",
		long: `
Logs in to a server whose configuration has "oauth": it opens the page of the server's
authorization server in a browser, waits until that sends the browser back to a port of
this machine, and keeps the token in a file that only you can read, for all other
commands. The token is renewed without you as long as the server allows.

Example:
  conductor login --config mcp.json linear

Where there is no browser, open the printed URL on another machine, with the port
forwarded:
  ssh -L 8976:127.0.0.1:8976 thishost
  conductor login --config mcp.json --no-browser --port 8976 linear`,
		define: func(flags *flag.FlagSet) action {
			config := configFlag(flags)
			port := flags.Int("port", 0, "wait on the port `N` of 127.0.0.1 for the browser; 0 is any")
			quiet := flags.Bool("no-browser", false, "print the URL only, do not open it")
			forget := flags.Bool("forget", false, "forget the token, and do not log in")
			return func(ctx context.Context, s *streams, args []string) error {
				if len(args) != 1 {
					return usagef("wants the name of one server")
				}
				options, err := readConfig(*config, s)
				if err != nil {
					return err
				}
				server, err := withOAuth(options.Servers, args[0])
				if err != nil {
					return err
				}
				if *forget {
					return server.Logout(ctx)
				}
				open := openBrowser
				if *quiet {
					open = func(string) error { return nil }
				}
				return login(ctx, s, server, *port, open)
			}
		},
	}
}

// withOAuth returns a server that a user can log in to.
func withOAuth(servers []mcpclient.Server, name string) (*mcpclient.Server, error) {
	found, err := only(servers, name)
	if err != nil {
		return nil, err
	}
	server := found[0]
	switch {
	case server.OAuth == nil:
		var names []string
		for _, other := range servers {
			if other.OAuth != nil && !other.OAuth.ClientCredentials {
				names = append(names, other.Name)
			}
		}
		return nil, &inputError{fmt.Errorf("mcpServers.%s has no login%s", name, suggest.DidYouMean(name, names)),
			fmt.Sprintf("Set mcpServers.%s.oauth to true if the server asks for OAuth.", name)}
	case server.OAuth.ClientCredentials:
		return nil, &inputError{fmt.Errorf("mcpServers.%s needs no login", name), "With client_credentials the client itself gets its tokens."}
	}
	return &server, nil
}

// login connects to one server, for which it lets the user log in.
func login(ctx context.Context, s *streams, server *mcpclient.Server, port int, open func(string) error) (err error) {
	l, err := listenForRedirect(ctx, port)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	oauth := *server.OAuth
	oauth.RedirectURL = l.url
	oauth.Authorize = func(ctx context.Context, address string) (string, error) {
		fmt.Fprintf(s.stderr, "Log in to %s in your browser:\n%s\n", server.Name, address)
		if err := open(address); err != nil {
			fmt.Fprintln(s.stderr, "conductor: no browser could be opened; open the URL yourself")
		}
		return l.wait(ctx)
	}
	server.OAuth = &oauth
	client, err := mcpclient.Connect(ctx, []mcpclient.Server{*server}, &mcpclient.Options{StartupWait: -1, Logger: newLogger(s.stderr)})
	if err != nil {
		return err
	}
	status := client.Status()[0]
	if err := client.Close(); err != nil {
		return err
	}
	if status.Err != nil {
		return fmt.Errorf("server %s: %w", server.Name, status.Err)
	}
	fmt.Fprintf(s.stdout, "%s: %s\n", server.Name, plural(status.Tools, "tool"))
	return nil
}

// A redirect waits for the browser that an authorization server sends back.
type redirect struct {
	url    string
	server *http.Server
	done   chan error
	came   chan string
}

const redirectPath = "/callback"

// listenForRedirect listens on this machine only. RFC 8252, "Loopback Interface
// Redirection": the literal address, since localhost may be something else.
func listenForRedirect(ctx context.Context, port int) (*redirect, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	r := &redirect{url: "http://" + listener.Addr().String() + redirectPath, done: make(chan error, 1), came: make(chan string, 1)}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	go func() { r.done <- r.server.Serve(listener) }()
	return r, nil
}

// serve takes what looks like the answer. Whether it is one, its state tells.
func (r *redirect) serve(w http.ResponseWriter, req *http.Request) {
	query := req.URL.Query()
	if req.Method != http.MethodGet || req.URL.Path != redirectPath || query.Get("state") == "" {
		http.NotFound(w, req)
		return
	}
	select {
	case r.came <- r.url + "?" + req.URL.RawQuery:
	default: // one is there already
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "Conductor has got the answer. You can close this window and go back to the terminal.\n")
}

func (r *redirect) wait(ctx context.Context) (string, error) {
	select {
	case address := <-r.came:
		return address, nil
	case <-ctx.Done():
		return "", fmt.Errorf("nobody logged in: %w", context.Cause(ctx))
	}
}

func (r *redirect) close() error {
	// The browser may still be reading its page.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.server.Close()
	}
	if served := <-r.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// openBrowser opens a URL that the client has found to be http or https.
func openBrowser(address string) error {
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return errors.New("not a web page")
	}
	var cmd *exec.Cmd
	switch runtime.GOOS {
	case "darwin":
		cmd = exec.Command("open", address)
	case "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	default:
		cmd = exec.Command("xdg-open", address)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // it hands over to a browser and ends
	return nil
}
