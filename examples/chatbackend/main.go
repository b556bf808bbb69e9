// Chatbackend is an HTTP chat endpoint whose model uses tools by writing programs.
//
// Without flags it needs no key: a script stands in for the model. It asks itself
// two questions, prints what happened, and ends.
//
//	go run ./examples/chatbackend
//	go run ./examples/chatbackend -listen 127.0.0.1:8080
//	go run ./examples/chatbackend -listen 127.0.0.1:8080 -store chats
//	CHAT_API_KEY=… go run ./examples/chatbackend -base-url https://api.example.com/v1 -model NAME
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	_ "github.com/conductor/conductor/conversation/redisstore" // for -store redis://…
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// options are the flags. The key is none, since others can see a program's flags.
type options struct{ listen, baseURL, model, store, key string }

func main() {
	log.SetFlags(0)
	o := options{key: os.Getenv("CHAT_API_KEY")}
	flag.StringVar(&o.listen, "listen", "", "keep serving on this `address`, for example 127.0.0.1:8080")
	flag.StringVar(&o.baseURL, "base-url", os.Getenv("CHAT_BASE_URL"), "base `URL` of an OpenAI-compatible API, for example http://localhost:11434/v1; empty means a script that stands in for a model (also $CHAT_BASE_URL)")
	flag.StringVar(&o.model, "model", os.Getenv("CHAT_MODEL"), "`name` of the model (also $CHAT_MODEL)")
	flag.StringVar(&o.store, "store", "", "keep the conversations here, a `folder` or a redis:// URL, so that they survive a restart; empty means in memory")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: chatbackend [flags]\nThe key of the API is read from $CHAT_API_KEY.")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("unexpected argument %q; see -help", flag.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options, w io.Writer) (err error) {
	closing := func(f func() error) { err = errors.Join(err, f()) }

	name := o.model
	if o.baseURL == "" {
		base, stop, err := serve("127.0.0.1:0", scriptedModel())
		if err != nil {
			return err
		}
		defer closing(stop)
		o.baseURL, o.model, o.key = base+"/v1", "scripted", ""
		name = "a script that stands in for a model; -base-url and -model use a real one"
	} else if o.model == "" {
		return errors.New("-base-url needs -model, the name of the model")
	}
	m, err := newModel(o.baseURL, o.model, o.key)
	if err != nil {
		return err
	}
	defer m.close()

	store, err := openStore(ctx, o.store)
	if err != nil {
		return err
	}
	if closer, ok := store.(io.Closer); ok {
		defer closing(closer.Close)
	}
	c, err := newConductor(ctx, store)
	if err != nil {
		return err
	}
	defer closing(c.Close)

	address := o.listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	base, stop, err := serve(address, newServer(c, m, store, slog.New(slog.NewTextHandler(os.Stderr, nil))))
	if err != nil {
		return err
	}
	defer closing(stop)
	fmt.Fprintf(w, "POST %s/chat\nmodel: %s\n", base, name)
	if o.listen == "" {
		return demo(ctx, w, base)
	}
	fmt.Fprintf(w, `
Ask, for example:
  curl -s %s/chat -H 'Content-Type: application/json' -d '{"message": "What is running out in Oslo?"}'
and go on with the id of the answer as "conversation". There is no log-in: whoever
can reach the address can use the tools. Ctrl-C ends it.
`, base)
	<-ctx.Done()
	return nil
}

// maxRecords is how many records are kept in memory; those that were not used for the
// longest time are forgotten. A conversation has two.
const maxRecords = 1000

func openStore(ctx context.Context, location string) (conversation.Store, error) {
	if location == "" {
		return conversation.NewMemory(&conversation.MemoryOptions{MaxRecords: maxRecords}), nil
	}
	return conversation.Open(ctx, location)
}

// newConductor has small bounds for what a program returns: all of it goes into
// the history and is read by the model again and again.
func newConductor(ctx context.Context, store conversation.Store) (*conductor.Conductor, error) {
	return conductor.New(ctx, &conductor.Options{
		Store:   store,
		Servers: []mcpclient.Server{{Name: "inventory", Transport: inventory(ctx)}},
		Sandbox: sandbox.Options{
			MaxValue:  16 << 10,
			MaxOutput: 8 << 10,
			Progress:  func(s string) { fmt.Fprintln(os.Stderr, s) },
		},
	})
}

// serve returns the base URL under which the handler is served until stop.
func serve(address string, handler http.Handler) (base string, stop func() error, err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, s.Close()) // ends the turns that are under way
		}
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// questions are two messages of one conversation.
var questions = []string{"What is running out in Oslo, and what does it cost to restock?", "And in Bergen?"}

// demo talks to the backend as a web page would.
func demo(ctx context.Context, w io.Writer, base string) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	conversation := ""
	for _, question := range questions {
		fmt.Fprintf(w, "\nuser: %s\n", question)
		response, err := ask(ctx, client, base, chatRequest{Conversation: conversation, Message: question})
		if err != nil {
			return err
		}
		printSteps(w, response.Steps)
		if response.Error != "" {
			return errors.New(response.Error)
		}
		fmt.Fprintf(w, "assistant: %s\n", response.Reply)
		conversation = response.Conversation
	}
	fmt.Fprintln(w, "\nThe second question needed no search: the conversation has the tools loaded.")
	fmt.Fprintln(w, "With -listen 127.0.0.1:8080 the backend keeps serving, and with -store FOLDER\nits conversations survive a restart.")
	return nil
}

func ask(ctx context.Context, client *http.Client, base string, question chatRequest) (*chatResponse, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/chat", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	response := &chatResponse{}
	if err := json.NewDecoder(reply.Body).Decode(response); err != nil {
		return nil, fmt.Errorf("reading the reply: %w", err)
	}
	return response, nil
}

func printSteps(w io.Writer, steps []step) {
	for i, s := range steps {
		fmt.Fprintf(w, "  round %d, prompt of %d tokens\n", i+1, s.PromptTokens)
		for _, c := range s.Calls {
			arguments := c.Arguments
			var program struct{ Code string }
			if json.Unmarshal([]byte(arguments), &program) == nil && program.Code != "" {
				arguments = "\n" + program.Code
			}
			fmt.Fprintf(w, "    %s %s\n", c.Name, strings.ReplaceAll(arguments, "\n", "\n      | "))
			fmt.Fprintf(w, "      -> %s\n", shorten(c.Result, 110))
		}
	}
}
