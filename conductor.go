// Package conductor lets an agent use many MCP servers by writing programs: it
// finds the few tools that matter, reads their TypeScript types, and runs one
// program that calls them in a sandbox, so that neither every schema nor every
// intermediate result goes through the model.
//
//	c, err := conductor.New(ctx, &conductor.Options{
//		Servers: []mcpclient.Server{
//			{Name: "salesforce", Command: "node", Args: []string{"./salesforce.js"}},
//			{Name: "remote", URL: "https://mcp.example.com/mcp"},
//		},
//	})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	conv, err := c.Conversation(ctx, "")                      // an id resumes one
//	found, err := conv.FindTools(ctx, "revenue by quarter", nil)
//	specs, err := conv.LoadToolSpec(ctx, found.Tools[0].Name) // its TypeScript, now loaded
//	result, err := conv.Execute(ctx, `
//		import * as salesforce from "./mcp/salesforce";
//		const rows = await salesforce.query({ soql: "SELECT Amount FROM Opportunity" });
//		return rows.length;
//	`, nil)
//	fmt.Println(result.Phase, string(result.Value))
//
// A chat backend gives the model [Conversation.Prompt] and [Definitions], and
// passes the model's tool calls to [Conversation.Dispatch].
//
// # Flow
//
//	MCP servers ── mcpclient ── tools ──▶ catalog (search)
//	                   ▲        └─ schemas ─▶ codegen (TypeScript modules)
//	                   │ calls                     │
//	                   │                           ▼
//	                   └───── bridge ◀───── sandbox (a fresh Deno process per run)
//	                                               ▲
//	   conversation (loaded tools, imports) ── FindTools, LoadToolSpec, Execute
//
// # Security
//
// A program is untrusted. It runs in a process of its own without any permission
// (package sandbox), reaches exactly the tools that its conversation has loaded,
// and sees neither the configuration nor the credentials of a server. What servers
// say of themselves and of their tools is untrusted too: it gets into generated
// code only inside comments and string literals, and it is bounded. Whether a
// server deserves its credentials is the host's decision, and so is what a model
// may do with a tool that it can find: see [Policy] and [Audit].
//
// # Conversations
//
// What a conversation has loaded and imported is in a [conversation.Store], in memory
// unless [Options.Store] or [Options.StoreURL] says otherwise. Replicas that share a store
// share their conversations, and what searches and results have taught them. A program may
// use what an earlier one of its conversation has imported. LoadToolSpec returns when the
// store has what it loaded; a store that fails later is an error of the next turn, and not
// of a program that has run.
//
// # Prompts and tokens
//
// [Conversation.Prompt] keeps its beginning from turn to turn, for the sake of a
// provider's cache. With 200 tools, it and the [Definitions] take about 1,500 tokens,
// and some 150 new ones when three tools have been loaded. [Conversation.Savings] reports
// what a conversation took, beside what direct tool calling would have taken.
//
// # Servers
//
// Servers may come, go and change while a Conductor runs ([Conductor.AddServer],
// [Conductor.RemoveServer] and their like); what can be found, loaded and imported
// follows. One that is lost is connected again, at the latest when a program calls it;
// package mcpclient has the rules.
//
// # Concurrency
//
// A [Conductor] and its [Conversation] values are safe for concurrent use. Runs,
// and the tool calls of one run, happen at the same time.
//
// # Errors
//
// A Go error means that the machinery failed: a configuration that cannot work, no
// Deno, a context that ended, a store that does not answer. A server that is down
// is not an error: it is named in [FindResult.Unavailable], in the prompt and in
// [Conductor.Status]. What a program did wrong is in the [Result], with a
// [sandbox.Phase], a position in its own text and, always, its output and its
// calls up to then.
package conductor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// Version is the version of the library.
const Version = mcpclient.Version

// The bounds on what a program gives back if [Options] do not say others: a model that
// reads more has no room left for the conversation.
const (
	DefaultMaxValue  = 64 << 10 // bytes of a value before a preview stands for it
	DefaultMaxOutput = 32 << 10 // bytes of stdout and of stderr
)

// ErrClosed is returned by the methods of a [Conductor] after Close.
var ErrClosed = errors.New("conductor is closed")

// Options configure a [Conductor]. The zero value is useful, if not for much
// without servers. Options are copied by New.
type Options struct {
	// Servers are the MCP servers whose tools are offered.
	Servers []mcpclient.Server
	// Client bounds the connections to them.
	Client mcpclient.Options
	// Catalog configures the search. Unless NoLearning is set, it has a
	// [catalog.Learning] of its own if none is given.
	Catalog catalog.Options
	// NoLearning keeps the search from learning from successful calls.
	NoLearning bool
	// Sandbox configures the runs. What goes back to a model is bounded more than the
	// package's own defaults do: zero means [DefaultMaxValue] and [DefaultMaxOutput].
	Sandbox sandbox.Options
	// Store keeps the conversations, and what is learned from calls and results, for
	// later and for other replicas. nil means the one at StoreURL.
	Store conversation.Store
	// StoreURL is where the store is if there is none in Store: the path of a folder, or
	// a URL such as redis://localhost:6379/0, for which the host imports
	// conversation/redisstore; see [conversation.Open]. Empty means a
	// [conversation.Memory].
	StoreURL string
	// KeepConversations is how long a conversation is kept after its last change.
	// Zero means [conversation.DefaultKeep], less means for ever.
	KeepConversations time.Duration
	// Workspaces give each conversation a folder of its own.
	Workspaces Workspaces
	// Policy says which tools every conversation may use; see also [Conversation.As].
	Policy Policy
	// Audit is told of every call. nil means nobody, unless AuditFile is set.
	Audit Audit
	// AuditFile is the path of a file to which an [AuditLog] appends. It is made if it
	// is not there, for its owner only.
	AuditFile string
	// AuditArgs records the arguments of calls too, without what looks like a secret.
	AuditArgs bool
	// LazySandbox puts off looking for Deno and TypeScript, and fetching them if need
	// be, from New to the first Execute: for programs that only search.
	LazySandbox bool
	// Logger hears of what an operator should know; the parts use it too unless
	// they have one of their own. nil means silence.
	Logger *slog.Logger
}

// A Conductor joins servers, catalog, generated code and sandbox. It is safe for
// concurrent use.
type Conductor struct {
	opts    Options
	client  *mcpclient.Client
	catalog *catalog.Catalog
	states  conversation.States
	found   *searches // nil if nothing is learned
	shared  bool      // the store may have other users, now or later
	// storeCloser closes the store if New has opened it; nil otherwise.
	storeCloser io.Closer
	audit       Audit    // nil if there is none
	logFile     *os.File // of the audit, or nil

	pending    *pendingCounters
	workspaces *workspaces    // nil if there are none
	background sync.WaitGroup // what goes on until Close

	mu      sync.RWMutex
	names   []string                   // of the servers, in the order in which they were added
	modules map[string]*codegen.Server // of those whose tools are known, by name
	indexed map[string]indexed         // what the catalog and the modules were made of, by name
	// presentations are what prompts say of servers whose tools are known, by name.
	presentations map[string]presentation
	generation    int          // counts the changes of these
	served        servedPrompt // of conversations that no policy of their own binds

	// observed is what results of tools were seen to look like, by server.
	observed map[string]*observed
	sharing  *sharing // nil if nothing is shared

	// sandboxSlot holds nil or the sandbox; taking it is the lock.
	sandboxSlot chan *sandbox.Sandbox

	closing   context.Context
	close     context.CancelFunc
	closeOnce sync.Once
	closeErr  error
}

// New connects to the servers, indexes their tools and finds Deno, all at the same
// time; the context bounds only New. A server that cannot be connected is no error,
// see [Conductor.Status], and one that is slow delays New by
// [mcpclient.Options.StartupWait] at most; its tools are there when it is. A server that
// is lost is connected again. The error is not nil if the options cannot work, if there
// is no Deno, or if the context ended. Options may be nil.
func New(ctx context.Context, options *Options) (*Conductor, error) {
	c := &Conductor{
		pending:       newPendingCounters(),
		modules:       map[string]*codegen.Server{},
		indexed:       map[string]indexed{},
		presentations: map[string]presentation{},
		observed:      map[string]*observed{},
		generation:    1,
		sandboxSlot:   make(chan *sandbox.Sandbox, 1),
	}
	c.closing, c.close = context.WithCancel(context.Background())
	c.sandboxSlot <- nil
	if options != nil {
		c.opts = *options
		c.opts.Servers = slices.Clone(options.Servers)
	}
	c.opts.Sandbox.MaxValue = cmp.Or(c.opts.Sandbox.MaxValue, DefaultMaxValue)
	c.opts.Sandbox.MaxOutput = cmp.Or(c.opts.Sandbox.MaxOutput, DefaultMaxOutput)
	if c.opts.Logger == nil {
		c.opts.Logger = slog.New(slog.DiscardHandler)
	}
	for _, logger := range []**slog.Logger{&c.opts.Client.Logger, &c.opts.Sandbox.Logger} {
		if *logger == nil {
			*logger = c.opts.Logger
		}
	}
	if c.opts.NoLearning {
		c.opts.Catalog.Learning = nil
	} else {
		if c.opts.Catalog.Learning == nil {
			c.opts.Catalog.Learning = catalog.NewLearning()
		}
		c.found = newSearches(c.opts.Catalog.Learning)
	}
	if err := c.prepare(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if c.workspaces != nil && c.workspaces.keep > 0 {
		c.background.Go(func() { c.keepSwept(c.closing) })
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.connect(groupCtx) })
	if !c.opts.LazySandbox {
		group.Go(func() error {
			_, err := c.sandbox(groupCtx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(fmt.Errorf("conductor: %w", err), c.Close())
	}
	if c.shared {
		c.startSharing(ctx)
	}
	return c, nil
}

// prepare checks the options that need no server, and opens the store and the audit's
// file.
func (c *Conductor) prepare(ctx context.Context) (err error) {
	if c.opts.Policy, err = c.opts.Policy.copied(); err != nil {
		return err
	}
	if c.workspaces, err = newWorkspaces(&c.opts); err != nil {
		return err
	}
	if err := c.openStore(ctx); err != nil {
		return err
	}
	return c.openAudit()
}

// sandbox returns the sandbox, making it first if there is none.
func (c *Conductor) sandbox(ctx context.Context) (*sandbox.Sandbox, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	select {
	case s := <-c.sandboxSlot:
		defer func() { c.sandboxSlot <- s }()
		if s == nil {
			made, err := sandbox.New(ctx, &c.opts.Sandbox)
			if err != nil {
				return nil, err
			}
			s = made
		}
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open returns an error if the conductor is closed.
func (c *Conductor) open() error {
	if c.closing.Err() != nil {
		return ErrClosed
	}
	return nil
}

// Close ends the runs that are under way, disconnects the servers and waits until
// their processes are gone. Further calls return what the first one did.
func (c *Conductor) Close() error {
	c.closeOnce.Do(func() {
		c.mu.Lock() // nothing begins in the background after this
		c.close()
		c.mu.Unlock()
		c.background.Wait()
		var errs []error
		s := <-c.sandboxSlot
		if s != nil {
			errs = append(errs, s.Close()) // ends the runs, and with them their calls
		}
		c.sandboxSlot <- s
		c.sharing.finish()
		if c.client != nil {
			errs = append(errs, c.client.Close())
		}
		if c.logFile != nil {
			errs = append(errs, c.logFile.Close())
		}
		if c.storeCloser != nil {
			errs = append(errs, c.storeCloser.Close())
		}
		c.closeErr = errors.Join(errs...)
	})
	return c.closeErr
}

// Status tells of every configured server, in the order of the configuration.
func (c *Conductor) Status() []mcpclient.Status { return c.client.Status() }

// Tools returns the tools of the servers that could be connected, by server and
// name.
func (c *Conductor) Tools() []catalog.Tool { return c.catalog.Tools() }

// An UnavailableServer is a configured server whose tools cannot be used now.
type UnavailableServer struct {
	Name string `json:"name"`
	// Reason is one line for people and models.
	Reason string `json:"reason"`
}

func (v *Conversation) unavailable() []UnavailableServer {
	down := []UnavailableServer{}
	for _, s := range v.status() {
		if !s.State.Available() && s.State != mcpclient.StateDisabled {
			down = append(down, UnavailableServer{Name: s.Name, Reason: reason(s)})
		}
	}
	return down
}
