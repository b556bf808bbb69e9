// Package catalog finds the few tools that an agent needs among the thousands
// that its MCP servers offer.
//
// A [Catalog] is filled one server at a time and searched in process; nothing
// leaves the machine unless the host plugs in an embedding service.
//
//	c, err := catalog.New(nil)
//	err = c.SetServer(ctx, catalog.Server{Name: "github", Tools: tools})
//	res, err := c.Search(ctx, catalog.Query{Texts: []string{"open a bug report"}})
//	for _, h := range res.Hits {
//		fmt.Println(h.Tool.ID(), h.Score)
//	}
//
// # Ranking
//
// Three signals are added up, each divided by its standard deviation over the
// catalog, so that none drowns the others (a weighted sum of z-scores):
//
//   - words: BM25F over the tool's name (weight 2), title and description (1),
//     server name and title (1), parameter names (.5), parameter descriptions and
//     enum values (.3);
//   - vectors: the cosine between query and tool, times [Options.VectorWeight];
//   - server: BM25 of the query against one document per server (name, title,
//     description, tool names), times .3.
//
// Words that nobody knows count as the ones that they resemble. What successful calls
// have taught ([Learning]) counts as one more field of a tool, and with the
// conversation's [Context] shifts the sum. A query that is a tool's name, or names one,
// puts that tool first whatever the sum says. docs/search.md has what each part is
// worth.
//
// # Score
//
// [Hit.Score] lies in [0, 1] and falls along the hits. It is
//
//	.9 · √(sum / best)
//
// where best is the highest sum that is conceivable for the query: every word of
// it saturated in the tool and in its server, and a cosine of 1. The quotient is
// thus a weighted mean of word coverage and cosine, whatever the query and the
// catalog, so that one threshold serves all queries; the root spreads the low end,
// where questions in whole sentences are. Above .9 are only the tools that the
// query names: .95 in other spelling or among other words, 1 by the exact name.
// On the public test sets right first hits have .25 to .6, short requests more
// than long ones; one in fifty of the right tools that are found is below .2.
//
// # Untrusted text
//
// Everything a server says about its tools is data: texts are cut at fixed
// lengths, schemas are read to a fixed depth and size, invalid UTF-8 separates
// words, and nothing is ever executed, formatted into a pattern or followed.
//
// # Concurrency and determinism
//
// A Catalog is safe for concurrent use. Searches go on while servers are set:
// texts are read and embedded outside the lock, and a finished server is swapped
// in within microseconds per tool. The same servers and the same query give the
// same hits in the same order, in whatever order the servers and tools came.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/conductor/conductor/internal/tool"
)

// Tool is a tool as its server describes it: Server (the name that the host gave
// to the server), Name (the exact name on the wire), Title (for people, often
// empty), Description, InputSchema (JSON Schema of the arguments, as raw JSON)
// and OutputSchema (JSON Schema of the result, mostly absent). ID returns
// "server.tool".
type Tool = tool.Tool

// EmbeddingFunc turns a text of at most 2,000 characters into a vector. All
// vectors of one function must have the same number of dimensions; their length
// does not matter. It is called from several goroutines at once and should stop
// when ctx is done.
//
// It has the shape of chromem-go's EmbeddingFunc, so the functions of that
// package (OpenAI, Ollama, Cohere, …) convert directly:
// catalog.EmbeddingFunc(chromem.NewEmbeddingFuncOllama("nomic-embed-text", "")).
type EmbeddingFunc func(ctx context.Context, text string) ([]float32, error)

// BatchEmbeddingFunc turns several texts into as many vectors, in their order, with one
// request; else it is like [EmbeddingFunc]. [Service.Embed] is one.
type BatchEmbeddingFunc func(ctx context.Context, texts []string) ([][]float32, error)

// Defaults of [Options] and [Query].
const (
	DefaultLimit            = 8               // hits of a search; see [Query.Limit]
	DefaultConcurrency      = 8               // see [Options.Concurrency]
	DefaultEmbeddingTimeout = 2 * time.Second // see [Options.EmbeddingTimeout]

	// BuiltinVectorWeight is the vector weight of the built-in embedder, whose vectors
	// are means of words and know nothing of their order.
	BuiltinVectorWeight = 0.5
	// CustomVectorWeight is the vector weight of a host's embedding function.
	// Small sentence models alone are no better than BM25 on tool search and
	// large ones are clearly above it; equal weight serves both.
	CustomVectorWeight = 1.0
	// StrongVectorWeight is for models of a billion parameters and more, and for those
	// that were trained for tools.
	StrongVectorWeight = 1.5

	// BatchSize is how many texts an [Options.EmbeddingBatch] is given at most.
	BatchSize = 64
)

const (
	maxLimit      = 100 // hits of one search
	maxQueryTexts = 16  // phrasings of one query
)

// Errors that callers may want to tell apart, with [errors.Is].
var (
	// ErrServerName is returned by [Catalog.SetServer] for a server name that is
	// empty, not UTF-8, or has control characters in it.
	ErrServerName = errors.New("invalid server name")
	// ErrNoQuery is returned by [Catalog.Search] for a query without any text.
	ErrNoQuery = errors.New("query has no text")
	// ErrEmbedding is wrapped by every error that says that the embedding
	// function failed, was too slow or gave a useless vector. What is in the
	// catalog stays searchable by words.
	ErrEmbedding = errors.New("embedding unavailable")
)

// Options configure a [Catalog]. The zero value is useful.
type Options struct {
	// Embedding is the host's embedding function. Nil means the built-in
	// embedder, which needs no network, no key and no model, takes microseconds,
	// and gives the same vectors everywhere.
	Embedding EmbeddingFunc

	// EmbeddingBatch is used in place of Embedding, if it is not nil, for up to
	// [BatchSize] texts at a time.
	EmbeddingBatch BatchEmbeddingFunc

	// EmbeddingCache is a folder that keeps the vectors of tools, so that they are
	// asked for once, and not at every start. It is made if it is not there, may be
	// shared by processes, and holds at most 512 MB; what was unused the longest goes
	// first. It is of use only with an embedding function of the host, and needs
	// EmbeddingModel. Empty means none.
	EmbeddingCache string

	// EmbeddingModel names the model behind the function, for the cache: vectors of
	// one name are taken for vectors of one model.
	EmbeddingModel string

	// VectorWeight is the weight of the vectors beside the words, which have
	// weight 1. Zero means [BuiltinVectorWeight] or [CustomVectorWeight]; for a model
	// that is clearly better than words alone, [StrongVectorWeight] is right. A
	// negative weight means words alone: nothing is ever embedded.
	VectorWeight float64

	// Concurrency is how many calls of the embedding function one SetServer has in flight.
	// Zero or less means [DefaultConcurrency].
	Concurrency int

	// EmbeddingTimeout bounds the embedding of a query; a search that hits it
	// ranks by words alone and says so. Zero or less means
	// [DefaultEmbeddingTimeout]. The embedding of tools is bounded by the context
	// of SetServer instead.
	EmbeddingTimeout time.Duration

	// Learning is what successful calls have taught, and goes on to teach. Nil means
	// that nothing is learned.
	Learning *Learning
}

// Server is one server's entry in the catalog.
type Server struct {
	// Name is the host's name for the server, the first part of the tools' ids.
	// It must not be empty.
	Name string
	// Title and Description are what the server says about itself; often empty.
	Title, Description string
	// Tools are the server's tools. Their Server field is ignored and set to
	// Name. Of two tools with the same name the first wins; tools without a name
	// are left out. Schemas are kept, not copied: the caller must not change
	// their bytes afterwards.
	Tools []Tool
}

// Catalog is a searchable set of tools, made by [New]. All methods may be called
// at any time from several goroutines. It has no background work and needs no
// closing.
type Catalog struct {
	embed       BatchEmbeddingFunc // nil if builtin
	batch       int                // texts that embed is given at most
	cache       *vectorCache       // or nil
	builtin     bool
	weight      float64 // ≤ 0: words alone
	concurrency int
	timeout     time.Duration
	learning    *Learning // or nil

	// mu makes the pair (snap, contents of vecs) change at once. Snapshots are
	// immutable, so readers hold mu only to take one and to ask vecs.
	mu   sync.RWMutex
	snap *snapshot
	vecs *vectors

	scratch sync.Pool // of *scratch
}

// New returns an empty catalog. Nil options mean the defaults; the options are
// copied. A VectorWeight that is not a finite number is an error.
func New(opts *Options) (*Catalog, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if math.IsNaN(o.VectorWeight) || math.IsInf(o.VectorWeight, 0) {
		return nil, fmt.Errorf("vector weight %v is not a finite number", o.VectorWeight)
	}
	c := &Catalog{
		embed:       o.EmbeddingBatch,
		batch:       BatchSize,
		weight:      o.VectorWeight,
		concurrency: o.Concurrency,
		timeout:     o.EmbeddingTimeout,
		learning:    o.Learning,
		snap:        &snapshot{base: []int{0}},
	}
	if c.embed == nil && o.Embedding != nil {
		c.batch, c.embed = 1, func(ctx context.Context, texts []string) ([][]float32, error) {
			vec, err := o.Embedding(ctx, texts[0])
			return [][]float32{vec}, err
		}
	}
	c.builtin = c.embed == nil
	if c.weight == 0 {
		c.weight = CustomVectorWeight
		if c.builtin {
			c.weight = BuiltinVectorWeight
		}
	}
	if c.concurrency <= 0 {
		c.concurrency = DefaultConcurrency
	}
	if c.timeout <= 0 {
		c.timeout = DefaultEmbeddingTimeout
	}
	c.scratch.New = func() any { return new(scratch) }
	var err error
	if o.EmbeddingCache != "" && !c.builtin && c.weight > 0 {
		if c.cache, err = newVectorCache(o.EmbeddingCache, o.EmbeddingModel); err != nil {
			return nil, err
		}
	}
	if c.vecs, err = newVectors(); err != nil {
		return nil, err
	}
	return c, nil
}
