package sandbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"weak"
)

var testMarker = []byte("0123456789abcdef")

func testFrame(body string) string {
	return string(testMarker) + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
}

// readFrames returns all frames of a stream, what was between them, and how it
// ended.
func readFrames(stream string, limit int) (frames []string, stray string, err error) {
	var between bytes.Buffer
	// One byte at a time makes every split of a marker happen.
	r := newFrameReader(iotest.OneByteReader(strings.NewReader(stream)), testMarker, limit, func(b []byte) { between.Write(b) })
	for {
		frame, err := r.next()
		if err != nil {
			return frames, between.String(), err
		}
		frames = append(frames, string(frame))
	}
}

func TestFrameReader(t *testing.T) {
	for _, test := range []struct {
		name, stream  string
		frames, stray string
		err           error
	}{
		{"nothing", "", "", "", io.EOF},
		{"frames", testFrame("a") + testFrame("") + testFrame("b c"), "a||b c", "", io.EOF},
		{"output between", "x\n" + testFrame("a") + "0123" + testFrame("b") + "z", "a|b", "x\n0123z", io.EOF},
		{"output that looks like a marker", "0123456789abcde" + testFrame("a"), "a", "0123456789abcde", io.EOF},
		{"long output", strings.Repeat("y", 200_000) + testFrame("a"), "a", strings.Repeat("y", 200_000), io.EOF},
		{"cut in the marker", "0123", "", "0123", io.EOF},
		{"cut in the length", string(testMarker) + "\x00", "", "", io.EOF},
		{"cut in the body", testFrame("abc")[:markerSize+lengthSize+1], "", "", io.EOF},
		{"too large", testFrame(strings.Repeat("a", 101)), "", "", errFrameTooLarge},
		{"huge length", string(testMarker) + "\xff\xff\xff\xff", "", "", errFrameTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			frames, stray, err := readFrames(test.stream, 100)
			if got := strings.Join(frames, "|"); got != test.frames {
				t.Errorf("frames %q, want %q", got, test.frames)
			}
			if stray != test.stray {
				t.Errorf("output %.60q, want %.60q", stray, test.stray)
			}
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
}

// Whatever a process writes, the reader ends, never holds more than the limit, and
// loses no byte of output between frames.
func FuzzFrameReader(f *testing.F) {
	f.Add("x" + testFrame("a"))
	f.Add(testFrame("") + "0123456789abcdef\xff\xff\xff\xff")
	f.Fuzz(func(t *testing.T, stream string) {
		frames, stray, err := readFrames(stream, 1000)
		if err == nil {
			t.Fatal("the stream has no end")
		}
		total := len(stray)
		for _, frame := range frames {
			if len(frame) > 1000 {
				t.Errorf("frame of %d bytes", len(frame))
			}
			total += markerSize + lengthSize + len(frame)
		}
		if total > len(stream) {
			t.Errorf("%d bytes out of %d", total, len(stream))
		}
	})
}

// A process that breaks the protocol ends its run with a reason, whatever it
// sends.
func TestServeRefuses(t *testing.T) {
	for _, test := range []struct{ name, frame, want string }{
		{"no JSON", "{", "unexpected end of JSON"},
		{"no object", "1", "cannot unmarshal number"},
		{"no type", "{}", `unknown type ""`},
		{"other type", `{"type":"ready"}`, `unknown type "ready"`},
		{"id 0", `{"type":"call","id":0}`, "call has id 0, want 1"},
		{"negative id", `{"type":"call","id":-1}`, "call has id -1, want 1"},
		{"giant id", `{"type":"call","id":1e300}`, "cannot unmarshal number"},
		{"id from the future", `{"type":"call","id":2}`, "call has id 2, want 1"},
		{"text as id", `{"type":"call","id":"1"}`, "cannot unmarshal string"},
		{"deep JSON", strings.Repeat("[", 100_000), "exceeded max depth"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &run{
				opts: &Options{MaxCalls: 1}, program: &Program{},
				process: &process{frames: newFrameReader(strings.NewReader(testFrame(test.frame)), testMarker, maxFrame, func([]byte) {})},
			}
			last, err := r.serve(t.Context())
			if last != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("serve: %v, %v; want %q", last, err, test.want)
			}
		})
	}
}

func TestServeRefusesARepeatedCall(t *testing.T) {
	stream := testFrame(`{"type":"call","id":1,"target":"a","args":{}}`) + testFrame(`{"type":"call","id":1,"target":"a","args":{}}`)
	r := &run{
		opts: &Options{MaxCalls: 1}, program: &Program{}, open: map[int]time.Time{}, slots: make(chan struct{}, 1),
		process: &process{stdin: discard{}, frames: newFrameReader(strings.NewReader(stream), testMarker, maxFrame, func([]byte) {})},
	}
	defer r.calls.Wait()
	if _, err := r.serve(t.Context()); err == nil || !strings.Contains(err.Error(), "call has id 1, want 2") {
		t.Errorf("serve: %v", err)
	}
}

// A goroutine that waits for a call does not keep what the last one was about.
func TestIdleGoroutinesKeepNothing(t *testing.T) {
	r := &run{idle: make(chan func())}
	defer r.calls.Wait()
	defer close(r.idle)
	var kept []weak.Pointer[[1 << 20]byte]
	for range 3 { // on new goroutines and on idle ones
		args, called := new([1 << 20]byte), make(chan bool)
		kept = append(kept, weak.Make(args))
		r.work(func() {
			args[0] = 1
			close(called)
		})
		<-called
	}
	for i, args := range kept {
		for tries := 0; args.Value() != nil; tries++ {
			if tries > 1000 {
				t.Fatalf("the arguments of call %d are kept", i)
			}
			runtime.GC()
			time.Sleep(time.Millisecond) // until the goroutine waits
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Close() error                { return nil }
