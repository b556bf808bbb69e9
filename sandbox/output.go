package sandbox

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A capture keeps the beginning of a stream and counts the rest. It is safe for
// concurrent use.
type capture struct {
	mu    sync.Mutex
	limit int
	kept  []byte
	total int64
}

// Write never fails: what is over the limit is counted and dropped.
func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += int64(len(b))
	c.kept = append(c.kept, b[:min(len(b), c.limit-len(c.kept))]...)
	return len(b), nil
}

// cutAt drops everything from the first occurrence of a text.
func (c *capture) cutAt(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := bytes.Index(c.kept, []byte(text)); i >= 0 {
		c.kept, c.total = c.kept[:i], int64(i)
	}
}

// text returns what was kept, safe to log and to show to a model, and how many
// bytes were written in all. Where something was cut, a line that says so comes
// first.
func (c *capture) text() (string, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.kept
	if c.total <= int64(len(kept)) {
		return printable(kept), c.total
	}
	if r, size := utf8.DecodeLastRune(kept); r == utf8.RuneError && size == 1 {
		// The cut may have gone through a character: its first byte is near.
		for n := 1; n < utf8.UTFMax && n < len(kept); n++ {
			if utf8.RuneStart(kept[len(kept)-n]) {
				kept = kept[:len(kept)-n]
				break
			}
		}
	}
	return fmt.Sprintf("[cut: the first %d of %d bytes]\n%s", len(kept), c.total, printable(kept)), c.total
}

// printable replaces what could steer a terminal or hide text from a reader:
// control characters, invalid UTF-8 and bidirectional overrides.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(string(b), string(unicode.ReplacementChar)))
}
