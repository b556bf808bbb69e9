package sandbox

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// protocolVersion is what the harness must answer with; the two are one unit.
const protocolVersion = 1

const (
	markerSize = 16
	lengthSize = 4
)

// errFrameTooLarge ends a run: the rest of the stream cannot be trusted to be in
// step.
var errFrameTooLarge = errors.New("frame larger than the limit")

// A message is any frame's JSON. Which fields are set depends on the type.
type message struct {
	Type string `json:"type"`

	// ready
	Protocol int    `json:"protocol,omitempty"`
	Deno     string `json:"deno,omitempty"`

	// log
	Level int     `json:"level,omitempty"`
	At    float64 `json:"at,omitempty"`

	// call
	ID     int64           `json:"id,omitempty"`
	Target string          `json:"target,omitempty"`
	Args   json.RawMessage `json:"args,omitempty"`

	// result
	Value json.RawMessage `json:"value,omitempty"`
	Whole json.RawMessage `json:"whole,omitempty"`

	// error; log
	Reason  string `json:"reason,omitempty"`
	Name    string `json:"name,omitempty"`
	Message string `json:"message,omitempty"`
	Stack   string `json:"stack,omitempty"`
}

// A frameReader splits a process's stdout into frames and what the program wrote
// there by itself.
type frameReader struct {
	r      *bufio.Reader
	marker []byte
	limit  int
	stray  func([]byte) // gets the program's own output
}

func newFrameReader(r io.Reader, marker []byte, limit int, stray func([]byte)) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 64<<10), marker: marker, limit: limit, stray: stray}
}

// next returns the next frame's JSON, or io.EOF when the stream has ended.
func (f *frameReader) next() ([]byte, error) {
	if err := f.skipToMarker(); err != nil {
		return nil, err
	}
	var length [lengthSize]byte
	if _, err := io.ReadFull(f.r, length[:]); err != nil {
		return nil, io.EOF
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size > int64(f.limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", errFrameTooLarge, size, f.limit)
	}
	// The length is the process's word: memory is taken as the bytes arrive.
	var body bytes.Buffer
	if n, err := io.CopyN(&body, f.r, size); err != nil {
		return nil, fmt.Errorf("frame ends after %d of %d bytes: %w", n, size, io.EOF)
	}
	return body.Bytes(), nil
}

// skipToMarker consumes the stream up to and with the next marker. Everything
// before it is the program's.
func (f *frameReader) skipToMarker() error {
	for {
		window, err := f.r.Peek(max(len(f.marker), f.r.Buffered()))
		if i := bytes.Index(window, f.marker); i >= 0 {
			f.pass(window[:i])
			_, err = f.r.Discard(i + len(f.marker))
			return err
		}
		if err != nil {
			f.pass(window)
			_, _ = f.r.Discard(len(window))
			return io.EOF
		}
		// The marker may have begun in the window's last bytes.
		n := len(window) - len(f.marker) + 1
		f.pass(window[:n])
		if _, err := f.r.Discard(n); err != nil {
			return err
		}
	}
}

func (f *frameReader) pass(b []byte) {
	if len(b) > 0 {
		f.stray(b)
	}
}

// writeFrame sends the JSON of one value to the harness.
func writeFrame(w io.Writer, body []byte) error {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, lengthSize+len(body)), uint32(len(body)))
	_, err := w.Write(append(frame, body...))
	return err
}
