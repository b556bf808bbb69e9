package mcpclient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// lineReader reads the lines of a server's stdout that may be messages. MCP, "stdio":
// "The server MUST NOT write anything to its stdout that is not a valid MCP message."
// Many do: a banner, a log line. So lines that do not begin like a message, or a batch of
// them, go elsewhere.
type lineReader struct {
	in    *bufio.Reader
	noise io.Writer
}

func newLineReader(in io.Reader, noise io.Writer) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 16<<10), noise: noise}
}

type lineKind int

const (
	lineBlank lineKind = iota // nothing but space so far
	lineJSON
	lineNoise
)

func kindOf(line []byte) lineKind {
	switch {
	case len(line) == 0:
		return lineBlank
	case line[0] == '{', line[0] == '[' && beginsBatch(line):
		return lineJSON
	}
	return lineNoise
}

// beginsBatch reports whether a line that begins with a bracket may be a batch, and not
// "[INFO] ready".
func beginsBatch(line []byte) bool {
	rest := bytes.TrimLeft(line[1:], " \t")
	return len(rest) == 0 || rest[0] == '{' // or the buffer ends here
}

// next returns the next line that begins like a message, without space before it. It is valid
// until the following call. At the end the error is io.EOF, whatever the reason, and another one if a
// message is too long.
func (r *lineReader) next() ([]byte, error) {
	kind := lineBlank
	var long bytes.Buffer // the parts of a line that does not fit into r.in
	for {
		part, err := r.in.ReadSlice('\n')
		if kind == lineBlank {
			part = bytes.TrimLeft(part, " \t\r\n")
			kind = kindOf(part)
		}
		switch {
		case kind == lineNoise:
			_, _ = r.noise.Write(part)
		case err == nil && long.Len() == 0 && kind == lineJSON:
			return part, nil
		case long.Len()+len(part) > maxMessage:
			return nil, fmt.Errorf("a message of the server has more than %d bytes", maxMessage)
		default:
			long.Write(part)
		}
		switch {
		case err == nil && kind == lineJSON:
			return long.Bytes(), nil
		case err == nil:
			kind = lineBlank
		case err != bufio.ErrBufferFull:
			if json.Valid(long.Bytes()) { // the last message, without the end of its line
				return long.Bytes(), nil
			}
			return nil, io.EOF
		}
	}
}
