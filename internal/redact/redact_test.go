package redact_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/redact"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"nothing secret here: 42", "nothing secret here: 42"},
		{"https://ada:pw@example.com/a?x=1", "https://[redacted]@example.com/a?x=1"},
		{"GET https://example.com/a?api_key=abc&page=2 failed", "GET https://example.com/a?api_key=[redacted]&page=2 failed"},
		{"https://example.com/cb#access_token=abc&state=9", "https://example.com/cb#access_token=[redacted]&state=9"},
		{"https://example.com/?X-Amz-Signature=abc", "https://example.com/?X-Amz-Signature=[redacted]"},
		{"https://example.com/?ap%69key=abc", "https://example.com/?ap%69key=[redacted]"},
		{"postgres://app:hunter2@db:5432/main", "postgres://[redacted]@db:5432/main"},
		{"https://exa mple.com:x%zz", "https://exa mple.com:x%zz"},
		{"http://[::1/%zz?token=a", "http://[redacted]"},
		{"Authorization: Bearer abcdefgh12345", "Authorization: Bearer [redacted]"},
		{"authorization=Basic dXNlcjpwYXNz", "authorization=Basic [redacted]"},
		{"key sk-ant-REDACTED-AbCdEfGh01234567 was refused", "key [redacted] was refused"},
		{"ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted]"},
		{"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln!", "jwt [redacted]!"},
		{"AKIAIOSFODNN7EXAMPLE", "[redacted]"},
		{"a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n[redacted]\nb"},
		{"-----BEGIN PRIVATE KEY-----\nMIIE and no end", "[redacted]"},
		{`otp=123456 user_otp=123456 otp_code=123456`, `otp=[redacted] user_otp=[redacted] otp_code=[redacted]`},
		{`root_path=/srv footprint=12 not_paid=true`, `root_path=/srv footprint=12 not_paid=true`},
		{`password="correct horse" user=ada`, `password=[redacted] user=ada`},
		{"DB_PASSWORD: hunter2, next", "DB_PASSWORD: [redacted], next"},
		{"the task force and the risk-averse", "the task force and the risk-averse"},
		{"https://maps.example.com/api?key=abc&q=x", "https://maps.example.com/api?key=[redacted]&q=x"},
		{"issue key=ABC-12, page_token=7", "issue key=ABC-12, page_token=7"},
		{"page_token_secret=7", "page_token_secret=[redacted]"},
		{"used 1200 tokens; max_tokens=500", "used 1200 tokens; max_tokens=500"},
		{"max_tokens=abc refresh_tokens: zzz", "max_tokens=[redacted] refresh_tokens: [redacted]"},
		{`401: {"access_token":"abcdef123","expires_in":5}`, `401: {"access_token":[redacted],"expires_in":5}`},
		{`{"password": "hunter\"2", "user": "ada"`, `{"password": [redacted], "user": "ada"`},
		{`got {\"password\":\"hunter2\",\"user\":\"ada\"}`, `got {\"password\":[redacted],\"user\":\"ada\"}`},
		{`{"password":"cut of`, `{"password":[redacted]`},
		{`{"use_token":true,"token":null,"max_tokens":7}`, `{"use_token":true,"token":null,"max_tokens":7}`},
		{`{'secret': {"v": "x"}, 'a': 1}`, `{'secret': [redacted], 'a': 1}`},
		{"Authorization: Digest username=ada, response=abcdef\nHost: h", "Authorization: Digest [redacted]\nHost: h"},
		{"Proxy-Authorization: abc def", "Proxy-Authorization: [redacted]"},
		{"Set-Cookie: a=b; session=c; Path=/\r\nHost: h", "Set-Cookie: [redacted]\r\nHost: h"},
		{`{"cookie":"a=b; c=d","host":"h"}`, `{"cookie":[redacted],"host":"h"}`},
	} {
		t.Run(test.in, func(t *testing.T) {
			if got := redact.Text(test.in); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{`{"b": 1, "a": 12345678901234567890}`, `{"a":12345678901234567890,"b":1}`},
		{`{"apiKey":"x","nested":[{"client_secret":{"v":"y"}}],"use_token":true,"token":null}`, `{"apiKey":"[redacted]","nested":[{"client_secret":"[redacted]"}],"token":null,"use_token":true}`},
		{`{"url":"https://u:p@h/","html":"<b>"}`, `{"html":"<b>","url":"https://[redacted]@h/"}`},
		{`"Bearer abcdefgh1234"`, `"Bearer [redacted]"`},
		{`{"key":"ABC-12","nextPageToken":"x","max_tokens":5}`, `{"key":"ABC-12","max_tokens":5,"nextPageToken":"x"}`},
		{`{"body":"{\"password\":\"hunter2secret\"}"}`, `{"body":"{\"password\":\"[redacted]\"}"}`},
		{`{"body":"{\"b\": 1, \"a\": 2}"}`, `{"body":"{\"b\": 1, \"a\": 2}"}`},
		{`{"refresh_tokens":"zzz","apiTokens":["abc123"],"tokens":"tok-secret"}`, `{"apiTokens":"[redacted]","refresh_tokens":"[redacted]","tokens":"[redacted]"}`},
		{`{"tokens":{"in":1,"out":[2]},"total_tokens":3}`, `{"tokens":{"in":1,"out":[2]},"total_tokens":3}`},
		{`{"headers":[{"name":"Authorization","value":"abcsecret"},{"name":"Accept","value":"json"}]}`, `{"headers":[{"name":"Authorization","value":"[redacted]"},{"name":"Accept","value":"json"}]}`},
		{`{"env":{"Key":"API_KEY","Value":["x"]}}`, `{"env":{"Key":"API_KEY","Value":"[redacted]"}}`},
		{`{"pin":1234,"spin":1234}`, `{"pin":"[redacted]","spin":1234}`},
		{`{"a":`, `"[redacted]"`},
		{`{} {}`, `"[redacted]"`},
		{strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), `"[redacted]"`},
	} {
		t.Run(fmt.Sprintf("%.30s", test.in), func(t *testing.T) {
			if got := redact.JSON(json.RawMessage(test.in)); string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A secret under a telling name, or in a URL, does not come through, whatever is
// around it, and what comes out is JSON.
func FuzzJSON(f *testing.F) {
	f.Add("name", "before", "after")
	f.Add("a\"b", "https://h/?x=", "&y=1")
	f.Add("url", "x://", "\x00")
	f.Fuzz(func(t *testing.T, name, before, after string) {
		const secret = "s3cr3tvalue0123456789"
		for _, value := range []any{
			map[string]any{name: before, "password": secret + after},
			map[string]any{name: []any{map[string]any{"api-key": before + secret}}},
			[]any{name, "https://user:" + secret + "@example.com/"},
			before + " https://example.com/?token=" + secret,
		} {
			raw, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			got := redact.JSON(raw)
			if !json.Valid(got) {
				t.Fatalf("%s becomes %s, which is not JSON", raw, got)
			}
			if strings.Contains(string(got), secret) && !strings.Contains(name+before+after, secret) {
				t.Fatalf("%s becomes %s", raw, got)
			}
		}
	})
}
