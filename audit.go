package conductor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/conductor/conductor/internal/redact"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// An Audit keeps a record of the calls. Each call that is made has two records, one
// before it ([AuditStarted]) and one after it; a call that is denied has one.
//
// If the record before a call cannot be written the call is not made: the program
// gets an error that it can catch, and [Options.Logger] hears why. If one of the
// others cannot be written the logger hears of it, since what has happened has
// happened; a start without an end says as much. A host for whom calls matter more
// than their record returns nil from Record whatever happens.
//
// Record is called by several goroutines at a time, and calls wait for it. The record
// is the callee's to keep.
type Audit interface {
	Record(ctx context.Context, record *AuditRecord) error
}

// An AuditOutcome says what became of a call.
type AuditOutcome string

// The outcomes.
const (
	// AuditStarted: the call is about to be made.
	AuditStarted AuditOutcome = "started"
	// AuditOK: the tool returned a result.
	AuditOK AuditOutcome = "ok"
	// AuditToolError: the tool reported a failure of its own.
	AuditToolError AuditOutcome = "tool_error"
	// AuditFailed: the call has no result and took no effect: its server is not
	// available, or refused it.
	AuditFailed AuditOutcome = "failed"
	// AuditUnknown: the call has no result and may have taken effect.
	AuditUnknown AuditOutcome = "unknown"
	// AuditDenied: the call was not made: a [Policy] or the one who was asked denied
	// it, or the conversation had not loaded such a tool.
	AuditDenied AuditOutcome = "denied"
)

// An AuditRecord is one record of one call.
type AuditRecord struct {
	Time           time.Time `json:"time"`
	ConversationID string    `json:"conversation_id"`
	// User is the one of [Conversation.As].
	User string `json:"user,omitempty"`
	// Run is the program that made the call, by an id of its own, and Call which of
	// its calls it was, from 1, as in [Result.Calls]: together they name the call.
	Run  string `json:"run"`
	Call int64  `json:"call"`
	// Tool is "server.tool", as the program named it.
	Tool    string       `json:"tool"`
	Outcome AuditOutcome `json:"outcome"`
	// ArgsSHA256 is the hash, in hexadecimal, of the JSON of the arguments exactly as
	// the program sent it. Whoever can guess the arguments can confirm the guess.
	ArgsSHA256 string `json:"args_sha256"`
	ArgsBytes  int    `json:"args_bytes"`
	// Args are the arguments without what looks like a secret, if
	// [Options.AuditArgs] asks for them. Large ones are a string that is cut.
	Args json.RawMessage `json:"args,omitempty"`
	// Error is why there is no result, without what looks like a secret. Of a tool's
	// failure it is empty, since the tool's words are data.
	Error string `json:"error,omitempty"`
	// DurationMS is how long the call took, in milliseconds; 0 until it has ended.
	DurationMS float64 `json:"duration_ms,omitempty"`
}

const (
	// maxAuditArgs is how many bytes of arguments a record holds.
	maxAuditArgs = 8 << 10
	// maxAuditError is how many bytes of an error it holds.
	maxAuditError = 1 << 10
)

// record begins the record of a call.
func (r *programRun) record(call sandbox.Call) *AuditRecord {
	if r.v.c.audit == nil {
		return nil
	}
	sum := sha256.Sum256(call.Args)
	record := &AuditRecord{
		ConversationID: r.v.id, User: r.v.user, Run: r.id, Call: int64(call.Number),
		Tool: oneLine(call.Target, 1<<10), ArgsSHA256: hex.EncodeToString(sum[:]), ArgsBytes: len(call.Args),
	}
	if r.v.c.opts.AuditArgs {
		record.Args = auditArgs(call.Args)
	}
	return record
}

// auditArgs redacts before it cuts: half a secret is one that no form shows any more.
func auditArgs(args json.RawMessage) json.RawMessage {
	clean := redact.JSON(args)
	if len(clean) <= maxAuditArgs {
		return clean
	}
	text, err := json.Marshal(cut(string(clean), maxAuditArgs))
	if err != nil {
		return nil
	}
	return text
}

func (c *Conductor) recordStart(ctx context.Context, record *AuditRecord) error {
	return c.write(ctx, record, AuditStarted, 0, nil)
}

func (c *Conductor) recordDenial(ctx context.Context, record *AuditRecord, reason error) {
	_ = c.write(ctx, record, AuditDenied, 0, reason) // the call is not made either way
}

func (c *Conductor) recordEnd(ctx context.Context, record *AuditRecord, took time.Duration, result *mcpclient.Result, err error) {
	outcome := AuditOK
	var callErr *mcpclient.CallError
	switch {
	case errors.As(err, &callErr) && callErr.OutcomeUnknown:
		outcome = AuditUnknown
	case err != nil:
		outcome = AuditFailed
	case result.IsError:
		outcome = AuditToolError
	}
	_ = c.write(ctx, record, outcome, took, err) // the call was made
}

// write gives a copy of the record to the audit, also if the run has ended meanwhile.
// The logger hears of its failure.
func (c *Conductor) write(ctx context.Context, record *AuditRecord, outcome AuditOutcome, took time.Duration, reason error) error {
	if record == nil {
		return nil
	}
	written := *record
	written.Args = bytes.Clone(record.Args)
	written.Time, written.Outcome, written.DurationMS = time.Now().UTC(), outcome, milliseconds(took)
	if reason != nil {
		written.Error = cut(redact.Text(reason.Error()), maxAuditError)
	}
	err := c.audit.Record(context.WithoutCancel(ctx), &written)
	if err != nil {
		c.opts.Logger.Error("conductor: audit", "tool", written.Tool, "outcome", outcome, "conversation", written.ConversationID, "error", err)
	}
	return err
}

// openAudit makes the audit of the options.
func (c *Conductor) openAudit() error {
	c.audit = c.opts.Audit
	if c.opts.AuditFile == "" {
		return nil
	}
	if c.audit != nil {
		return errors.New("conductor: Options.Audit and Options.AuditFile are both set: want one of them")
	}
	file, err := os.OpenFile(c.opts.AuditFile, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("conductor: Options.AuditFile, whose folder must be there: %w", err)
	}
	log := NewAuditLog(file)
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		var last [1]byte
		_, err := file.ReadAt(last[:], info.Size()-1)
		log.torn = err == nil && last[0] != '\n' // a machine that went down may have left half a line
	}
	c.logFile, c.audit = file, log
	return nil
}

// An AuditLog is an [Audit] that writes a line of JSON for each record, with one
// Write. What a line is written to decides what it survives: of a file, the end of
// this process, and not that of the machine.
type AuditLog struct {
	mu   sync.Mutex
	w    io.Writer
	torn bool // the last line may lack its end
}

// NewAuditLog makes an AuditLog. The writer stays the caller's to close.
func NewAuditLog(w io.Writer) *AuditLog { return &AuditLog{w: w} }

// Record implements [Audit].
func (l *AuditLog) Record(_ context.Context, record *AuditRecord) error {
	line, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.torn {
		line = append([]byte("\n"), line...)
	}
	if _, err = l.w.Write(line); err != nil {
		l.torn = true
		return fmt.Errorf("audit: %w", err)
	}
	l.torn = false
	return nil
}
