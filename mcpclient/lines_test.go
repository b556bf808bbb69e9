package mcpclient

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

// inPieces is a reader that returns at most size bytes at a time.
type inPieces struct {
	rest string
	size int
}

func (r *inPieces) Read(b []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.size)], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func readLines(in io.Reader) (lines []string, noise string, err error) {
	var other strings.Builder
	r := newLineReader(in, &other)
	for {
		line, err := r.next()
		if err != nil {
			return lines, other.String(), err
		}
		lines = append(lines, string(line))
	}
}

func TestLineReader(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 40<<10) + `"}`
	tests := []struct {
		name, in string
		lines    []string
		noise    string
	}{
		{"nothing", "", nil, ""},
		{"between noise", "noise\n{\"a\":1}\n\n  [ {}]\r\nmore {noise}\n[2]\n{\"b\":2}\n", []string{"{\"a\":1}\n", "[ {}]\r\n", "{\"b\":2}\n"}, "noise\nmore {noise}\n[2]\n"},
		{"without the last newline", "{\"a\":1}\n{\"b\":2}", []string{"{\"a\":1}\n", "{\"b\":2}"}, ""},
		{"broken off", "{\"a\":1}\n{\"b\":", []string{"{\"a\":1}\n"}, ""},
		{"broken off noise", "{\"a\":1}\nnoise", []string{"{\"a\":1}\n"}, "noise"},
		{"broken off space", "{\"a\":1}\n \t ", []string{"{\"a\":1}\n"}, ""},
		{"over several lines", "{\n  \"a\": 1\n}\n", []string{"{\n"}, "\"a\": 1\n}\n"},
		{"two in a line", "{\"a\":1} {\"b\":2}\n", []string{"{\"a\":1} {\"b\":2}\n"}, ""},
		{"long", "n" + long + "\n" + strings.Repeat(" ", 40<<10) + long + "\n" + long, []string{long + "\n", long}, "n" + long + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 5, 7, 16<<10 - 1, 16 << 10, 1 << 20} {
				lines, noise, err := readLines(&inPieces{tt.in, size})
				if !slices.Equal(lines, tt.lines) || noise != tt.noise || err != io.EOF {
					t.Errorf("in pieces of %d: got %.200q, noise %.200q, error %v", size, lines, noise, err)
				}
			}
		})
	}
}

// However much a server writes without ending its line, little of it is kept.
func TestLineReaderIsBounded(t *testing.T) {
	endless := strings.Repeat("x", 1<<20)
	for _, tt := range []struct{ name, first, want string }{
		{"message", "{", "more than 67108864 bytes"}, {"noise", "n", "EOF"}, {"space", " ", "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parts := []io.Reader{strings.NewReader(tt.first)}
			if tt.name == "space" {
				endless = strings.Repeat(" ", 1<<20)
			}
			for range 70 {
				parts = append(parts, strings.NewReader(endless))
			}
			r := newLineReader(io.MultiReader(parts...), io.Discard)
			if line, err := r.next(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d bytes, error %v", len(line), err)
			}
		})
	}
}

// FuzzLineReader compares with splitting what is all there.
func FuzzLineReader(f *testing.F) {
	f.Add([]byte("noise\n{\"a\":1}\n\n  [{}]\r\n[2]\nmore {noise}\n{\"b\":"), uint16(3), uint16(0))
	f.Add([]byte("\xef\xbb\xbf{}\n{}"), uint16(1), uint16(1))
	f.Add([]byte("{\"a\":\"b\"}\n\r\n[]\n\x00\n"), uint16(100), uint16(20000))
	f.Fuzz(func(t *testing.T, in []byte, size, stretch uint16) {
		// Some lines longer than the buffer.
		in = bytes.ReplaceAll(in, []byte("b"), bytes.Repeat([]byte("b"), 1+int(stretch)))
		var lines []string
		var noise strings.Builder
		for rest := in; len(rest) > 0; {
			line, after, ended := bytes.Cut(rest, []byte("\n"))
			if ended {
				line = rest[:len(line)+1]
			}
			rest = after
			switch line = bytes.TrimLeft(line, " \t\r\n"); kindOf(line) {
			case lineJSON:
				if ended || json.Valid(line) {
					lines = append(lines, string(line))
				}
			case lineNoise:
				noise.Write(line)
			}
		}
		got, other, err := readLines(&inPieces{string(in), 1 + int(size)})
		if !slices.Equal(got, lines) || other != noise.String() || err != io.EOF {
			t.Errorf("got %q, noise %q, error %v; want %q, noise %q", got, other, err, lines, noise.String())
		}
	})
}
