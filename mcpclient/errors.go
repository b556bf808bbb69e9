package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrUnknownServer is returned for a name that was not configured.
	ErrUnknownServer = errors.New("unknown server")
	// ErrUnavailable is returned for a server that is not ready; the message has
	// the reason. See [Client.Status].
	ErrUnavailable = errors.New("server is not available")
	// ErrClosed is returned after [Client.Close], and by calls that Close ended.
	ErrClosed = errors.New("client is closed")
)

// CallError is a call that has no result: the server answered with a protocol
// error, or the connection, the time or ctx ended first. A tool that reports its
// own failure is not a CallError but a [Result] with IsError.
//
// errors.Is finds context.Canceled, context.DeadlineExceeded (also for
// [Options.CallTimeout]), [ErrUnavailable] (the connection was lost) and
// [ErrClosed] in it.
type CallError struct {
	// Server and Tool name what was called.
	Server, Tool string
	// Err is the reason. For an error that the server answered with it is a
	// [*ProtocolError].
	Err error
	// OutcomeUnknown is true when the request may have reached the server and no
	// answer came back: the call may have taken effect, so it must not be
	// repeated blindly.
	OutcomeUnknown bool
	// Tries is how often the call was made. It is made again, once, if the connection was
	// lost and either the server did not get the call, or its tool declares itself
	// read-only or idempotent; with [SharingPerConversation] only the former, since what
	// the server kept for the conversation is lost too.
	Tries int

	passing    bool // another try may succeed
	repeatable bool // the tool says so
	kept       bool // there is something between the calls of a conversation
}

// Error implements error.
func (e *CallError) Error() string {
	msg := fmt.Sprintf("calling %s.%s: %v", e.Server, e.Tool, e.Err)
	if e.OutcomeUnknown {
		msg += "; the call may or may not have taken effect"
		switch {
		case !e.passing:
		case e.kept:
			msg += ", and was not repeated, since what the server keeps for this conversation may be lost"
		case !e.repeatable:
			msg += ", and was not repeated, since the tool does not declare itself read-only or idempotent"
		}
	}
	if e.Tries > 1 {
		msg += fmt.Sprintf("; it was tried %d times", e.Tries)
		if e.repeatable {
			msg += ", as the tool declares itself read-only or idempotent"
		}
	}
	return msg
}

// Unwrap returns the reason.
func (e *CallError) Unwrap() error { return e.Err }

// ProtocolError is an error that the server answered with.
type ProtocolError struct {
	// Code is the JSON-RPC error code, such as -32602 for invalid parameters.
	Code int64
	// Message is the server's text, bounded and without control characters.
	// Untrusted.
	Message string
}

// Error implements error.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("server answered with error %d: %s", e.Code, e.Message)
}

// timeoutError is the cause of a context that ended by one of our own bounds.
type timeoutError struct {
	what string // what did not happen
	d    time.Duration
	hint string
}

func (e *timeoutError) Error() string {
	msg := fmt.Sprintf("%s within %v", e.what, e.d)
	if e.hint != "" {
		msg += "; " + e.hint
	}
	return msg
}

func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// plain is an error whose text was made safe to show while errors.Is still
// works. It has no Unwrap on purpose: the texts further down, like that of
// *url.Error, may hold secrets or a server's raw text.
type plain struct {
	msg   string
	cause error
}

func (e *plain) Error() string        { return e.msg }
func (e *plain) Is(target error) bool { return errors.Is(e.cause, target) }

// bare returns u without the parts that may hold secrets.
func bare(u *url.URL) *url.URL {
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
}

// clean returns s without control characters and terminal escapes, cut to at
// most limit bytes.
func clean(s string, limit int) string {
	var b strings.Builder
	escape := false
	for _, r := range s {
		switch {
		case r == 0x1b:
			escape = true
			continue
		case escape:
			// An escape sequence ends with a letter: ESC [ 3 1 m.
			escape = !unicode.IsLetter(r)
			continue
		case r == '\n' || r == '\t':
		case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
