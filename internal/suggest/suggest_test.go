package suggest_test

import (
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/suggest"
)

func TestNearest(t *testing.T) {
	known := []string{"command", "args", "env", "cwd", "url", "headers", "connect_timeout"}
	for word, want := range map[string]string{
		"comand":                 "command",
		"Command":                "command",
		"arg":                    "args",
		"evn":                    "env",
		"connectTimeout":         "connect_timeout",
		"header":                 "headers",
		"serverUrl":              "",
		"x":                      "",
		"":                       "",
		strings.Repeat("a", 100): "",
	} {
		if got := suggest.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	if got, want := suggest.DidYouMean("fnid", []string{"exec", "find"}), "; did you mean find?"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := suggest.DidYouMean("zzz", []string{"exec", "find"}); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}
