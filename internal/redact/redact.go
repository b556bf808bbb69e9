// Package redact takes secrets out of what is kept or shown: values under telling
// names, credentials in URLs, and texts that have the form of a well-known token.
//
// It knows no secret, so it can only go by names and forms: a password in a field
// called "note" stays. What must not be kept at all should not be given to it.
package redact

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Mark stands where a secret was.
const Mark = "[redacted]"

// secretNames are parts of names, folded by [fold], whose values are secret.
var secretNames = []string{
	"password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "signingkey",
	"credential", "authorization", "authentication", "cookie", "sessionid", "signature", "bearer", "jwt", "pincode",
}

// secretWords are whole names, since they are parts of many harmless ones.
var secretWords = map[string]bool{"pwd": true, "pass": true, "auth": true, "pin": true, "sig": true}

// harmless are parts of names that would be secret otherwise: of lists that go on.
var harmless = []string{"pagetoken", "nexttoken", "continuationtoken", "synctoken"}

// Secret tells whether a field or parameter of this name holds a secret. Numbers may be
// exempt; see [counts].
func Secret(name string) bool {
	folded := fold(name)
	// Within a name it would be in "root_path" and "not_paid".
	const oneTime = "otp"
	if secretWords[folded] || strings.HasPrefix(folded, oneTime) || strings.HasSuffix(folded, oneTime) {
		return true
	}
	for _, part := range harmless {
		folded = strings.ReplaceAll(folded, part, "")
	}
	for _, part := range secretNames {
		if strings.Contains(folded, part) {
			return true
		}
	}
	return false
}

// counts tells whether numbers of this name say how many tokens a model uses or may use.
func counts(name string) bool {
	folded := fold(name)
	return strings.HasSuffix(folded, "tokens") || strings.Contains(folded, "maxtoken") || strings.Contains(folded, "tokencount")
}

// fold makes API-Key, api_key and apiKey the same.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

var (
	urls = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>\x60]+`)

	// tokens are forms that nothing else has. The first group stays.
	tokens = regexp.MustCompile(`(?i)(\b(?:bearer|basic|token)\s+)[a-z0-9._~+/=-]{8,}|` +
		`()(?:` +
		`\beyJ[a-z0-9_-]{8,}\.[a-z0-9_-]{4,}(?:\.[a-z0-9_-]*)?|` + // JSON Web Tokens
		`\b(?:sk|pk|rk)[-_][a-z0-9_-]{16,}|` + // OpenAI, Anthropic, Stripe
		`\bgh[pousr]_[a-z0-9]{20,}|\bgithub_pat_[a-z0-9_]{20,}|\bglpat-[a-z0-9_-]{16,}|` +
		`\bxox[abeoprs]-[a-z0-9-]{10,}|\bxapp-[a-z0-9-]{10,}|` + // Slack
		`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[a-z0-9_-]{30,}|\bya29\.[a-z0-9_-]{16,}|` +
		`\bnpm_[a-z0-9]{30,}|\bhf_[a-z0-9]{20,}|` +
		`-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-[^-])*(?:-----END [A-Z ]*PRIVATE KEY-----)?)`)

	// assignments are "password=x" and "api_key: x" in running text, and the same in JSON
	// there, which may itself be within a string or cut off.
	assignments = regexp.MustCompile(`(?i)\b([a-z][a-z0-9_.-]{2,40})(` + sign + `[=:]\s*)(` + quoted + `|[{[][^}\]]*[}\]]?|[^\s"',;&]+)`)

	// headers are those whose value goes on to the end of the line. The scheme stays.
	headers = regexp.MustCompile(`(?i)\b((?:authorization|cookie)` + sign + `:\s*(?:(?:bearer|basic|token|digest|negotiate)\s+)?)(?:` + quoted + `|[^\r\n]+)`)

	number = regexp.MustCompile(`^[0-9.]+$`)
)

const (
	sign   = `\\*["']?\s*`                                               // what is between a name and = or :
	quoted = `\\+"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|'[^']*(?:'|$)` // a text in quotes
)

// Text returns the text without what looks like a secret.
func Text(s string) string {
	s = urls.ReplaceAllStringFunc(s, redactURL)
	s = tokens.ReplaceAllString(s, "${1}"+Mark)
	s = headers.ReplaceAllString(s, "${1}"+Mark)
	return assignments.ReplaceAllStringFunc(s, func(found string) string {
		parts := assignments.FindStringSubmatch(found)
		name, value := parts[1], parts[3]
		switch {
		case !Secret(name), counts(name) && number.MatchString(strings.TrimRight(value, "}]")), strings.HasPrefix(value, Mark), isPlain(value):
			return found
		}
		return name + parts[2] + Mark
	})
}

// isPlain tells whether a value is none of its own: the scheme of an authorization, after
// which tokens or headers has found it, or a constant of JSON.
func isPlain(value string) bool {
	switch strings.ToLower(strings.TrimRight(value, "}]")) {
	case "bearer", "basic", "token", "digest", "negotiate", "true", "false", "null":
		return true
	}
	return false
}

// redactURL takes the user's name and password out of a URL, and the values of its
// secret parameters, which may also be in the fragment.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		// What cannot be taken apart could hold anything behind its host.
		scheme, _, _ := strings.Cut(raw, "://")
		return scheme + "://" + Mark
	}
	if u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		return raw
	}
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if u.User != nil {
		b.WriteString(Mark + "@")
	}
	b.WriteString(u.Host + u.EscapedPath())
	if u.RawQuery != "" {
		b.WriteString("?" + redactQuery(u.RawQuery))
	}
	if u.Fragment != "" {
		b.WriteString("#" + redactQuery(u.EscapedFragment()))
	}
	return b.String()
}

// redactQuery takes "key" for a secret too, which it is in queries and not elsewhere.
func redactQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, hasValue := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); hasValue && (err != nil || Secret(decoded) || fold(decoded) == "key") {
			pairs[i] = name + "=" + Mark
		}
	}
	return strings.Join(pairs, "&")
}

// JSON returns the value compact and without what looks like a secret. What is not
// valid JSON, or is nested too deep, becomes the string [Mark].
func JSON(raw json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if !json.Valid(raw) || decoder.Decode(&value) != nil {
		return json.RawMessage(`"` + Mark + `"`)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(clean(value)); err != nil {
		return json.RawMessage(`"` + Mark + `"`)
	}
	return bytes.TrimSpace(b.Bytes())
}

// clean walks a decoded value. The depth is bounded by the decoder.
func clean(value any) any {
	switch v := value.(type) {
	case string:
		if inner := json.RawMessage(v); json.Valid(inner) {
			if found := JSON(inner); bytes.Contains(found, []byte(Mark)) {
				return string(found)
			}
		}
		return Text(v)
	case []any:
		for i := range v {
			v[i] = clean(v[i])
		}
	case map[string]any:
		named := isNamed(v)
		for name, inner := range v {
			switch {
			case inner == nil, inner == false, inner == true:
			case named && fold(name) == "value", Secret(name) && !(counts(name) && isNumeric(inner)):
				v[name] = Mark
			default:
				v[name] = clean(inner)
			}
		}
	}
	return value
}

// isNamed tells whether an object is a pair of a name and a value, such as a header, whose
// value is secret.
func isNamed(object map[string]any) bool {
	for key, value := range object {
		name, ok := value.(string)
		if folded := fold(key); ok && (folded == "name" || folded == "key") && Secret(name) {
			return true
		}
	}
	return false
}

// isNumeric tells whether there are numbers only in a value.
func isNumeric(value any) bool {
	switch v := value.(type) {
	case json.Number:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(inner any) bool { return !isNumeric(inner) })
	case map[string]any:
		for _, inner := range v {
			if !isNumeric(inner) {
				return false
			}
		}
		return true
	}
	return false
}
