package conductor

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// toolValue turns what a tool returned into what its function resolves to: the
// structured result, else text that is a JSON object or array as that value, else
// text as a string, else the content blocks as MCP has them. unwrap takes off the
// object {result: …} into which some servers put a value that is no object.
func toolValue(r *mcpclient.Result, unwrap bool) (json.RawMessage, error) {
	if structured := bytes.TrimSpace(r.Structured); len(structured) > 0 && !bytes.Equal(structured, []byte("null")) {
		if unwrap {
			var wrapped struct {
				Result json.RawMessage `json:"result"`
			}
			if err := json.Unmarshal(structured, &wrapped); err == nil && wrapped.Result != nil {
				return wrapped.Result, nil
			}
		}
		return structured, nil
	}
	if text, ok := allText(r.Content); ok {
		if value := bytes.TrimSpace([]byte(text)); len(value) > 0 && (value[0] == '{' || value[0] == '[') && json.Valid(value) {
			return value, nil
		}
		return json.Marshal(text)
	}
	return json.Marshal(r.Content)
}

// allText joins the blocks if all of them are text. No block at all is the empty
// text.
func allText(content []mcpclient.Content) (string, bool) {
	var texts []string
	for _, block := range content {
		if block.Type != "text" {
			return "", false
		}
		texts = append(texts, block.Text)
	}
	return strings.Join(texts, "\n"), true
}

// maxToolError bounds what a failed tool may say in an error's message.
const maxToolError = 4 << 10

// toolError makes the error that a program catches when a tool reports failure.
// Its data is the whole content, or the structured result if there is one.
func toolError(id, signature string, r *mcpclient.Result) error {
	var texts []string
	for _, block := range r.Content {
		if block.Type == "text" {
			texts = append(texts, block.Text)
		}
	}
	message := strings.TrimSpace(strings.Join(texts, "\n"))
	if message == "" {
		message = "the tool failed without saying why"
	}
	data, err := toolValue(r, false)
	if err != nil {
		data = nil
	}
	return &sandbox.CallError{Message: id + ": " + cut(message, maxToolError) + "\nsignature: " + signature, Data: data}
}
