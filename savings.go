package conductor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
)

// Savings compare the tokens of a conversation, as [EstimateTokens] counts them, with
// what the same calls would have taken if every tool had been given to the model
// directly. What is compared is what the two ways differ in: user's words, the final
// answer and what a request repeats of earlier ones are in neither.
//
// The direct way gets the benefit of the doubt: it is taken to make all calls of a
// program in one request, in parallel, without searching and without an error. A
// provider's prompt cache makes what is repeated cheaper in both, and is not in here.
type Savings struct {
	// Requests are those in which the model searched, loaded or ran something.
	Requests int64 `json:"requests"`
	// PromptTokens are the [Definitions] and the [Conversation.Prompt] in each of them,
	// TextTokens what the model wrote in them, programs above all, and read of them.
	PromptTokens int64 `json:"prompt_tokens"`
	TextTokens   int64 `json:"text_tokens"`

	// DirectRequests is one for each program that made calls.
	DirectRequests int64 `json:"direct_requests"`
	// DirectSchemaTokens are the definitions of all tools in each of them,
	// DirectCallTokens the arguments and results of all calls.
	DirectSchemaTokens int64 `json:"direct_schema_tokens"`
	DirectCallTokens   int64 `json:"direct_call_tokens"`
}

// Spent is what the conversation took.
func (s Savings) Spent() int64 { return s.PromptTokens + s.TextTokens }

// Direct is what direct tool calling would have taken.
func (s Savings) Direct() int64 { return s.DirectSchemaTokens + s.DirectCallTokens }

// Saved is the difference; it is negative if programs took more.
func (s Savings) Saved() int64 { return s.Direct() - s.Spent() }

// Text says it in words, for people.
func (s Savings) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "programs: %d tokens in %d %s (prompt %d, programs and answers %d)\n",
		s.Spent(), s.Requests, plural(int(s.Requests), "request"), s.PromptTokens, s.TextTokens)
	fmt.Fprintf(&b, "direct tool calling: %d tokens at least in %d %s (definitions of all tools %d, arguments and results %d)\n",
		s.Direct(), s.DirectRequests, plural(int(s.DirectRequests), "request"), s.DirectSchemaTokens, s.DirectCallTokens)
	switch saved := s.Saved(); {
	case s.DirectRequests == 0:
		b.WriteString("no call was made, so there is nothing to compare with\n")
	case saved >= 0:
		fmt.Fprintf(&b, "saved: %d tokens, %d %%\n", saved, 100*saved/max(s.Direct(), 1))
	default:
		fmt.Fprintf(&b, "lost: %d tokens, %d %% more than direct tool calling: the tools are few, or their results small\n", -saved, 100*-saved/max(s.Direct(), 1))
	}
	return b.String()
}

// Savings reports on the conversation, as this handle last saw it and as far as it was
// made by this version of Conductor. Searches that another replica made count once it
// loads or runs something.
func (v *Conversation) Savings() Savings {
	v.mu.Lock()
	c := v.state.Counters
	v.mu.Unlock()
	c.Add(v.c.pending.get(v.id))
	return Savings{
		Requests: c.Searches + c.Loads + c.Runs, PromptTokens: c.PromptTokens, TextTokens: c.TextTokens,
		DirectRequests: c.CallingRuns, DirectSchemaTokens: c.SchemaTokens, DirectCallTokens: c.CallTokens,
	}
}

// definitionTokens are those of the [Definitions].
var definitionTokens = sync.OnceValue(func() int {
	definitions, err := json.Marshal(Definitions())
	if err != nil {
		return 0
	}
	return EstimateTokens(string(definitions))
})

// promptTokens is what a request takes before anything is said in it.
func (v *Conversation) promptTokens() int64 {
	v.mu.Lock()
	state := v.state
	v.mu.Unlock()
	_, served := v.served()
	return int64(definitionTokens() + served + EstimateTokens(v.loadedLines(&state)+v.driftLines(&state)+v.downLines()))
}

// schemaTokens is what the definitions of all tools take that the conversation may know
// of.
func (v *Conversation) schemaTokens() int64 {
	sum := 0
	for _, server := range v.servers() {
		presented := v.c.presentation(server.Name())
		if len(v.policies) == 0 {
			sum += presented.allTokens
			continue
		}
		for tool, tokens := range presented.schemaTokens {
			if v.permits(server.Name() + "." + tool) {
				sum += tokens
			}
		}
	}
	return int64(sum)
}

// definitionOf is what a tool's definition takes.
func definitionOf(t *codegen.Tool) int {
	// The schema as it is: white space is what a client would send, too.
	return EstimateTokens(t.Name+t.Description) + estimateLong(t.InputSchema) + definitionFrame
}

// definitionFrame is what is around name, description and schema.
const definitionFrame = 12

// longText is from how many bytes a text is estimated by its beginning.
const longText = 256 << 10

func estimateLong[T ~string | ~[]byte](text T) int {
	if len(text) <= longText {
		return EstimateTokens(string(text))
	}
	return int(float64(EstimateTokens(string(text[:longText]))) * float64(len(text)) / longText)
}

// pendingCounters are those of conversations whose searches were not stored yet: a
// search alone is not worth a write to the store.
type pendingCounters struct {
	mu   sync.Mutex
	byID *latest[conversation.Counters]
}

// maxPending bounds the conversations that have only searched.
const maxPending = 10_000

func newPendingCounters() *pendingCounters {
	return &pendingCounters{byID: newLatest[conversation.Counters](maxPending)}
}

func (p *pendingCounters) add(id string, more conversation.Counters) {
	if more == (conversation.Counters{}) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byID.of(id).Add(more)
}

func (p *pendingCounters) get(id string) conversation.Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID.get(id)
}

func (p *pendingCounters) take(id string) conversation.Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID.take(id)
}

// count changes the state and adds the counters, and those that are pending.
func (v *Conversation) count(ctx context.Context, more conversation.Counters, change func(*conversation.State) error) error {
	pending := v.c.pending.take(v.id)
	err := v.update(ctx, func(s *conversation.State) error {
		s.Counters.Add(pending)
		s.Counters.Add(more)
		return change(s)
	})
	if err != nil {
		v.c.pending.add(v.id, pending)
	}
	return err
}
