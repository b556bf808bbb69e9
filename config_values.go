package conductor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/suggest"
)

// A field is one key of an object with its value, which is valid JSON.
type field struct {
	key   string
	value json.RawMessage
}

// object returns the fields of an object in the order of the file. Known is which
// keys it may have, nil for any; a field that it may not have is left out.
func (r *configReader) object(path string, raw json.RawMessage, known []string) ([]field, bool) {
	if kindOf(raw) != "an object" {
		r.wrongKind(path, raw, "an object")
		return nil, false
	}
	var fields []field
	seen := map[string]bool{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		r.problem(path, "%v", err)
		return nil, false
	}
	for decoder.More() {
		token, err := decoder.Token()
		key, _ := token.(string)
		f := field{key: key}
		if err == nil {
			err = decoder.Decode(&f.value)
		}
		if err != nil {
			r.problem(path, "%v", err)
			return nil, false
		}
		at := join(path, key)
		switch {
		case seen[key]:
			r.problem(at, "is there twice")
		case known != nil && !slices.Contains(known, key):
			r.unknownKey(at, key, known)
		default:
			fields = append(fields, f)
		}
		seen[key] = true
	}
	return fields, true
}

func (r *configReader) unknownKey(path, key string, known []string) {
	hint := suggest.DidYouMean(key, known)
	if other := otherNames[key]; slices.Contains(known, other) {
		hint = "; did you mean " + other + "?"
	}
	r.problem(path, "is not a key that Conductor knows%s (the keys here are %s)", hint, strings.Join(known, ", "))
}

func (r *configReader) wrongKind(path string, raw json.RawMessage, want string) {
	kind := kindOf(raw)
	if want == "a string" && (kind == "a number" || kind == "a boolean") {
		want += fmt.Sprintf(": \"%s\"", raw)
	}
	r.problem(path, "is %s; want %s", kind, want)
}

// kindOf names the type of a valid JSON value.
func kindOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// join appends a key to a path, such that the path can be read.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		return fmt.Sprintf("%s[%q]", path, key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_$@-]{1,80}$`)

func (r *configReader) text(path string, raw json.RawMessage) (string, bool) {
	var s string
	if kindOf(raw) != "a string" || json.Unmarshal(raw, &s) != nil {
		r.wrongKind(path, raw, "a string")
		return "", false
	}
	return s, true
}

func (r *configReader) boolean(path string, raw json.RawMessage) bool {
	if kindOf(raw) != "a boolean" {
		r.wrongKind(path, raw, "true or false")
	}
	return bytes.Equal(bytes.TrimSpace(raw), []byte("true"))
}

// list returns an array of strings, expanded.
func (r *configReader) list(path string, raw json.RawMessage) []string {
	var values []json.RawMessage
	if kindOf(raw) != "an array" || json.Unmarshal(raw, &values) != nil {
		r.wrongKind(path, raw, "an array of strings")
		return nil
	}
	var texts []string
	for i, value := range values {
		texts = append(texts, r.expanded(fmt.Sprintf("%s[%d]", path, i), value))
	}
	return texts
}

// texts hands out an object of strings, expanded.
func (r *configReader) texts(path string, raw json.RawMessage, add func(key, value string)) {
	fields, _ := r.object(path, raw, nil)
	for _, f := range fields {
		add(f.key, r.expanded(join(path, f.key), f.value))
	}
}

func (r *configReader) duration(path string, raw json.RawMessage, most time.Duration) time.Duration {
	const want = `want a duration such as "30s", "2m" or "1m30s"`
	var s string
	if kindOf(raw) != "a string" || json.Unmarshal(raw, &s) != nil {
		r.problem(path, "is %s; %s", kindOf(raw), want)
		return 0
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		r.problem(path, "%q is not a duration; %s", s, want)
	case d <= 0:
		r.problem(path, "%q is not more than nothing; %s", s, want)
	case d > most:
		r.problem(path, "%q is too long; the most is %v", s, most)
	}
	return d
}

func (r *configReader) number(path string, raw json.RawMessage, most int) int {
	if kindOf(raw) != "a number" {
		r.problem(path, "is %s; want a whole number", kindOf(raw))
		return 0
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(raw)))
	if err != nil || n < 1 || n > most {
		r.problem(path, "is %.40s; want a whole number from 1 to %d", raw, most)
	}
	return n
}

func (r *configReader) expanded(path string, raw json.RawMessage) string {
	s, ok := r.text(path, raw)
	if !ok || r.verbatim {
		return s
	}
	return r.expand(path, s)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME} and ${NAME:-default}.
func (r *configReader) expand(path, s string) string {
	var b strings.Builder
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			return b.String() + s
		}
		if start > 0 && s[start-1] == '$' {
			b.WriteString(s[:start-1] + "${")
			s = s[start+2:]
			continue
		}
		b.WriteString(s[:start])
		reference, rest, closed := strings.Cut(s[start+2:], "}")
		if !closed {
			r.problem(path, "there is a ${ without its }; write $${ for the characters ${")
			return ""
		}
		b.WriteString(r.variable(path, reference))
		s = rest
	}
}

// variable returns the value of what stands between the braces.
func (r *configReader) variable(path, reference string) string {
	name, fallback, hasDefault := strings.Cut(reference, ":-")
	if !variableName.MatchString(name) {
		hint := ""
		if _, bare, ok := strings.Cut(name, "env:"); ok && variableName.MatchString(bare) {
			hint = "; did you mean ${" + bare + "}?"
		}
		r.problem(path, "${%.80s} names no variable%s (write ${NAME} or ${NAME:-default}, and $${ for the characters ${)", reference, hint)
		return ""
	}
	value, set := os.LookupEnv(name)
	switch {
	case hasDefault && value == "":
		return fallback
	case !set:
		r.problem(path, "the environment variable %s is not set; set it, or write ${%s:-default}", name, name)
	}
	return value
}
