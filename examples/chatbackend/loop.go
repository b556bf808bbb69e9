package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/conductor/conductor"
)

const (
	// maxRounds is how often the model is asked for one answer: some models never
	// stop calling functions.
	maxRounds = 8
	// maxHistory is how many bytes of a conversation the model gets to see again.
	maxHistory = 200 << 10
)

var errRounds = fmt.Errorf("%w: no answer after %d rounds of calls", errModel, maxRounds)

// answer lets the model call functions until it has an answer for the last message
// of the history. It returns the history with what came after that, also if there
// is an error.
//
// readme:begin chatloop
func answer(ctx context.Context, m *model, conv *conductor.Conversation, history []message) ([]message, error) {
	for range maxRounds {
		system := message{Role: "system", Content: conv.Prompt()}
		reply, err := m.complete(ctx, append([]message{system}, history...))
		if err != nil {
			return history, err
		}
		history = append(history, reply)
		if len(reply.ToolCalls) == 0 {
			return history, nil
		}
		for _, call := range reply.ToolCalls {
			result, err := conv.Dispatch(ctx, call.Function.Name, json.RawMessage(call.Function.Arguments))
			if err != nil {
				return history, err
			}
			history = append(history, message{Role: "tool", ToolCallID: call.ID, Content: result.Text})
		}
	}
	return history, errRounds
}

// readme:end

// closeTurn completes the history of a turn that ended with an error, since a
// provider takes no history in which a call lacks its result. The turn is kept: a
// program may have changed something, and a model that has forgotten would do it
// again.
func closeTurn(history []message) []message {
	answered := map[string]bool{}
	for i := len(history) - 1; history[i].Role != "user"; i-- {
		if history[i].Role == "tool" {
			answered[history[i].ToolCallID] = true
			continue
		}
		// Only the last round can lack results, and they belong behind it.
		for _, call := range history[i].ToolCalls {
			if !answered[call.ID] {
				history = append(history, message{Role: "tool", ToolCallID: call.ID, Content: "The call was interrupted; it may have had effects."})
			}
		}
		break
	}
	return append(history, message{Role: "assistant", Content: "(This turn ended with an error, before there was an answer.)"})
}

// recent drops the oldest turns of a history that is too long. Turns stay whole,
// again because a call and its result belong together.
func recent(history []message) []message {
	size, start := 0, len(history)
	for i := len(history) - 1; i >= 0; i-- {
		size += len(history[i].Content)
		for _, call := range history[i].ToolCalls {
			size += len(call.Function.Arguments)
		}
		if history[i].Role != "user" {
			continue
		}
		if size > maxHistory && start < len(history) {
			break
		}
		start = i
	}
	// A copy, so that what was dropped is not kept in memory.
	return append([]message(nil), history[start:]...)
}

// A step is one round of a turn: what the model called, and nothing if it answered.
type step struct {
	// PromptTokens is how much the model had to read.
	PromptTokens int        `json:"prompt_tokens"`
	Calls        []stepCall `json:"calls,omitempty"`
}

type stepCall struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // as the model wrote them
	Result    string `json:"result"`    // as the model read it
}

// steps tells the rounds of one turn from its part of the history.
func steps(turn []message) []step {
	all := []step{}
	results := map[string]string{}
	for _, m := range turn {
		if m.Role == "tool" {
			results[m.ToolCallID] = m.Content
		}
	}
	for _, m := range turn {
		if m.Role != "assistant" {
			continue
		}
		s := step{PromptTokens: m.PromptTokens}
		for _, call := range m.ToolCalls {
			s.Calls = append(s.Calls, stepCall{Name: call.Function.Name, Arguments: call.Function.Arguments, Result: results[call.ID]})
		}
		all = append(all, s)
	}
	return all
}
