package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/conductor/conductor"
)

// scriptedModel stands in for a model, so that the example needs no key and no
// network. It speaks the format of POST /chat/completions and decides, as a model
// would, from nothing but the request.
func scriptedModel() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxCompletion))
		var request completionRequest
		if err == nil {
			err = json.Unmarshal(body, &request)
		}
		if err != nil || len(request.Messages) == 0 {
			var refused completionError
			refused.Error.Message, refused.Error.Type = "want a chat completion request", "invalid_request_error"
			respond(w, http.StatusBadRequest, refused)
			return
		}
		reply := decide(request.Messages)
		c := completion{ID: "chatcmpl-scripted", Object: "chat.completion", Model: request.Model}
		c.Choices = []choice{{Message: reply, FinishReason: "stop"}}
		if len(reply.ToolCalls) > 0 {
			c.Choices[0].FinishReason = "tool_calls"
		}
		// A token is about four bytes of such text.
		said, _ := json.Marshal(reply) // nothing but strings
		c.Usage = usage{PromptTokens: len(body) / 4, CompletionTokens: len(said) / 4, TotalTokens: (len(body) + len(said)) / 4}
		respond(w, http.StatusOK, c)
	})
	return mux
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who does not read it has gone
}

// needed is what the model's program calls.
var needed = []string{"inventory.list_articles", "inventory.quote"}

// decide is the script: find, load, execute, answer. What is loaded already is in
// the system message, so the second question of a conversation goes straight to
// the program.
func decide(messages []message) message {
	last := messages[len(messages)-1]
	if last.Role != "tool" {
		city := warehouseIn(last.Content)
		switch {
		case city == "":
			return say("I am a script, not a model: ask me what is running out in Oslo or in Bergen.")
		case loaded(messages[0].Content):
			return call(messages, conductor.ExecuteCodeName, map[string]any{"code": restock(city)})
		}
		return call(messages, conductor.FindToolsName, map[string]any{"queries": []string{"what is in stock in a warehouse", "what does it cost to restock an article"}})
	}
	switch calledAs(messages, last.ToolCallID) {
	case conductor.FindToolsName:
		var names []string
		for _, line := range strings.Split(last.Content, "\n") {
			if slices.Contains(needed, line) {
				names = append(names, line)
			}
		}
		if len(names) < len(needed) {
			return say("I found no tools for that.")
		}
		return call(messages, conductor.LoadToolSpecName, map[string]any{"names": names})
	case conductor.LoadToolSpecName:
		return call(messages, conductor.ExecuteCodeName, map[string]any{"code": restock(warehouseIn(question(messages)))})
	}
	return say(report(last.Content))
}

func say(text string) message { return message{Role: "assistant", Content: text} }

func call(messages []message, name string, args map[string]any) message {
	var encoded strings.Builder
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false) // models write < as it is
	_ = encoder.Encode(args)     // nothing but strings
	return message{Role: "assistant", ToolCalls: []toolCall{{
		ID:       fmt.Sprintf("call_%d", len(messages)),
		Type:     "function",
		Function: functionCall{Name: name, Arguments: strings.TrimSpace(encoded.String())},
	}}}
}

// loaded reads in the system message whether the tools can be imported already: they
// are listed in its last section then.
func loaded(system string) bool {
	_, system, _ = strings.Cut(system, "\nLoaded")
	return !slices.ContainsFunc(needed, func(name string) bool { return !strings.Contains(system, name+"(") })
}

// calledAs returns the name of the function that a tool message is the result of.
func calledAs(messages []message, id string) string {
	for _, m := range messages {
		for _, c := range m.ToolCalls {
			if c.ID == id {
				return c.Function.Name
			}
		}
	}
	return ""
}

// question is what the user said last.
func question(messages []message) string {
	for _, m := range slices.Backward(messages) {
		if m.Role == "user" {
			return m.Content
		}
	}
	return ""
}

func warehouseIn(text string) string {
	for city := range warehouses {
		if strings.Contains(strings.ToLower(text), strings.ToLower(city)) {
			return city
		}
	}
	return ""
}

// restock is the program. Forty articles and all the offers stay in the sandbox;
// the model reads the few that matter.
func restock(city string) string {
	return `import * as inventory from "./mcp/inventory";

const { articles } = await inventory.list_articles({ warehouse: "` + city + `" });
const short = articles.filter((a) => a.stock < 2 * a.sold_per_week);
const quotes = await Promise.all(
  short.map((a) => inventory.quote({ sku: a.sku, quantity: 4 * a.sold_per_week })),
);
return {
  city: "` + city + `",
  articles: articles.length,
  short: short.map((a) => a.name),
  cost: quotes.reduce((sum, q) => sum + q.total, 0),
};`
}

// report makes a sentence of the program's value.
func report(result string) string {
	var value struct {
		City     string
		Articles int
		Short    []string
		Cost     int
	}
	line, _, _ := strings.Cut(result, "\n")
	if err := json.Unmarshal([]byte(line), &value); err != nil {
		return "My program did not work: " + line
	}
	return fmt.Sprintf("In %s, %d of %d articles last less than two weeks: %s. Restocking them for four weeks costs %d euro.",
		value.City, len(value.Short), value.Articles, strings.Join(value.Short, ", "), value.Cost)
}
