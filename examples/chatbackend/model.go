package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/conductor/conductor"
)

// The chat completions format of OpenAI, as far as it is needed here. Most other
// providers and local servers speak it too.
type (
	message struct {
		Role       string     `json:"role"` // system, user, assistant or tool
		Content    string     `json:"content"`
		ToolCalls  []toolCall `json:"tool_calls,omitempty"`   // of an assistant
		ToolCallID string     `json:"tool_call_id,omitempty"` // which call a tool message answers

		// PromptTokens is what the provider counted in the request that this message
		// answers. It is kept for the user and is not sent.
		PromptTokens int `json:"-"`
	}
	toolCall struct {
		ID       string       `json:"id"`
		Type     string       `json:"type"`
		Function functionCall `json:"function"`
	}
	functionCall struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"` // JSON, if the model is right
	}
	tool struct {
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	completionRequest struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Tools    []tool    `json:"tools"`
	}
	completion struct {
		ID      string   `json:"id"`
		Object  string   `json:"object"`
		Model   string   `json:"model"`
		Choices []choice `json:"choices"`
		Usage   usage    `json:"usage"`
	}
	choice struct {
		Index        int     `json:"index"`
		Message      message `json:"message"`
		FinishReason string  `json:"finish_reason"`
	}
	usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
	completionError struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
)

// tools are the functions that the model may call: the same three, however many
// tools there are behind them.
func tools() []tool {
	var all []tool
	for _, d := range conductor.Definitions() {
		all = append(all, tool{Type: "function", Function: function{Name: d.Name, Description: d.Description, Parameters: d.InputSchema}})
	}
	return all
}

// errModel is wrapped by every error that is the model's, or its provider's.
var errModel = errors.New("model")

// maxCompletion is how many bytes a provider may answer.
const maxCompletion = 4 << 20

// A model is a client of one model. It is safe for concurrent use.
type model struct {
	endpoint  string
	name, key string
	client    *http.Client
}

// newModel returns a client for a base URL such as http://localhost:11434/v1. The
// key may be empty.
func newModel(baseURL, name, key string) (*model, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("the model's base URL must be like http://localhost:11434/v1, not %q", baseURL)
	}
	return &model{
		endpoint: base.JoinPath("chat", "completions").String(),
		name:     name,
		key:      key,
		// A transport of its own, so that close leaves nothing behind.
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}},
	}, nil
}

func (m *model) close() { m.client.CloseIdleConnections() }

// complete asks the model for the message that comes after the messages.
func (m *model) complete(ctx context.Context, messages []message) (message, error) {
	body, err := json.Marshal(completionRequest{Model: m.name, Messages: messages, Tools: tools()})
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", errModel, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint, bytes.NewReader(body))
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", errModel, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if m.key != "" {
		request.Header.Set("Authorization", "Bearer "+m.key)
	}
	response, err := m.client.Do(request)
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", errModel, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxCompletion+1))
	switch {
	case err != nil:
		return message{}, fmt.Errorf("%w: reading the answer: %w", errModel, err)
	case len(data) > maxCompletion:
		return message{}, fmt.Errorf("%w: the answer has more than %d bytes", errModel, maxCompletion)
	case response.StatusCode != http.StatusOK:
		return message{}, fmt.Errorf("%w: HTTP %s: %s", errModel, response.Status, refusal(data))
	}
	return readCompletion(data)
}

func readCompletion(data []byte) (message, error) {
	var c completion
	if err := json.Unmarshal(data, &c); err != nil {
		return message{}, fmt.Errorf("%w: the answer is no chat completion: %w", errModel, err)
	}
	if len(c.Choices) == 0 {
		return message{}, fmt.Errorf("%w: the answer has no choices", errModel)
	}
	reply := c.Choices[0].Message
	if reply.Content == "" && len(reply.ToolCalls) == 0 {
		return message{}, fmt.Errorf("%w: the answer is empty (finish_reason %q)", errModel, c.Choices[0].FinishReason)
	}
	reply.Role = "assistant"
	reply.PromptTokens = c.Usage.PromptTokens
	return reply, nil
}

// refusal is what a provider says about a request that it does not answer.
func refusal(data []byte) string {
	var e completionError
	if err := json.Unmarshal(data, &e); err == nil && e.Error.Message != "" {
		return shorten(e.Error.Message, 300)
	}
	return shorten(string(data), 300)
}

// shorten makes one line of a text, and not a long one.
func shorten(s string, limit int) string {
	line := []rune(strings.Join(strings.Fields(s), " "))
	if len(line) > limit {
		return string(line[:limit-1]) + "…"
	}
	return string(line)
}
