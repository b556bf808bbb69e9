package mcpclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/conductor/conductor/internal/leaktest"
)

// pipes returns a connection and the server's ends of its pipes.
func pipes(t *testing.T) (c *stdioConn, stdin, stdout *os.File, noise *strings.Builder) {
	t.Helper()
	leaktest.Check(t)
	inR, inW, err1 := os.Pipe()
	outR, outW, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(inR, inW, outR, outW) })
	noise = &strings.Builder{}
	return newStdioConn(inW, outR, noise), inR, outW, noise
}

func note(text string) jsonrpc.Message { return &jsonrpc.Request{Method: text} }

func TestStdioConnReads(t *testing.T) {
	const first, second = `{"jsonrpc":"2.0","method":"first"}`, `{"jsonrpc":"2.0","id":1,"result":{"n":1.0}}`
	tests := []struct{ name, in, want string }{
		{"messages", first + "\n" + second + "\n", "first, 1 {\"n\":1.0}, EOF"},
		{"carriage returns", first + "\r\n\r\n" + second + "\r\n", "first, 1 {\"n\":1.0}, EOF"},
		{"noise", "starting\n" + first + " \nready {}\n", "first, EOF"},
		{"no last newline", first + "\n" + second, "first, 1 {\"n\":1.0}, EOF"},
		{"broken off", first + "\n" + second[:20], "first, EOF"},
		{"batch", "[" + first + "," + second + "]\n" + first + "\n", "first, 1 {\"n\":1.0}, first, EOF"},
		{"batch of one", "[" + first + "]\n", "first, EOF"},
		{"empty batch", "[]\n" + first + "\n", "first, EOF"},
		{"batch of others", "[1]\n" + first + "\n", "first, EOF"},
		{"batch with others", "[" + first + ",1]\n", "first, unmarshaling"},
		{"log", "[INFO] {ready}\n[12:30] ready\n" + first + "\n", "first, EOF"},
		{"no version", `{"id":1,"result":{}}` + "\n", "invalid message version"},
		{"log in JSON", `{"level":"info","msg":"ready"}` + "\n" + first + "\n", "first, EOF"},
		{"no JSON", "{this is no JSON\n", "not JSON: invalid character 't'"},
		{"no JSON in a batch", "[{this is no JSON}]\n", "not JSON: invalid character 't'"},
		{"over several lines", "{\n\"jsonrpc\":\"2.0\"}\n", "not JSON: unexpected end"},
		{"two in a line", first + first + "\n", "not JSON: invalid character '{' after top-level value"},
		{"another version", `{"jsonrpc":"1.0","method":"x"}` + "\n", "version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, stdout, _ := pipes(t)
			if _, err := io.WriteString(stdout, tt.in); err != nil {
				t.Fatal(err)
			}
			closeAll(stdout)
			var got []string
			for {
				msg, err := c.Read(t.Context())
				switch m := msg.(type) {
				case *jsonrpc.Request:
					got = append(got, m.Method)
				case *jsonrpc.Response:
					got = append(got, fmt.Sprint(m.ID.Raw(), " ", string(m.Result)))
				}
				if err != nil {
					got = append(got, err.Error())
					break
				}
			}
			if got := strings.Join(got, ", "); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What the pipe does not take comes after it, in order, and nobody waits.
func TestStdioConnWritesInOrder(t *testing.T) {
	c, stdin, _, _ := pipes(t)
	const writers, messages = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range messages {
				if err := c.Write(t.Context(), note(fmt.Sprintf("%d %d %s", w, i, strings.Repeat("x", i*200)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait() // a megabyte that nobody has read
	lines := bufio.NewScanner(stdin)
	var next [writers]int
	for range writers * messages {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		msg, err := jsonrpc.DecodeMessage(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var w, i int
		if _, err := fmt.Sscan(msg.(*jsonrpc.Request).Method, &w, &i); err != nil || i != next[w] {
			t.Fatalf("writer %d: message %d, want %d: %v", w, i, next[w], err)
		}
		next[w]++
	}
	// And what the pipe takes again is written again where it is sent.
	if err := c.Write(t.Context(), note("last")); err != nil || !lines.Scan() || !strings.Contains(lines.Text(), "last") {
		t.Errorf("got %q, error %v", lines.Text(), err)
	}
}

func TestStdioConnServerDoesNotRead(t *testing.T) {
	c, _, _, _ := pipes(t)
	big := note(strings.Repeat("x", maxMessage/4))
	var err error
	for i := 0; err == nil; i++ {
		if i > 4 {
			t.Fatal("there is no bound")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err = c.Write(ctx, big)
		cancel()
	}
	if !strings.Contains(err.Error(), "does not read its standard input") {
		t.Errorf("error %v", err)
	}
	id, _ := jsonrpc.MakeID("1")
	if err := c.Write(context.Background(), &jsonrpc.Response{ID: id, Result: []byte(`{"x":"` + strings.Repeat("x", maxMessage/4) + `"}`)}); err == nil {
		t.Error("an answer waits")
	}
	waits := make(chan error)
	go func() { waits <- c.Write(context.Background(), big) }()
	_ = c.Close()
	if err := <-waits; err == nil {
		t.Error("written while it is closed")
	}
	if err := c.Write(t.Context(), note("x")); err == nil {
		t.Error("written after Close")
	}
}

// Who writes more than may wait goes on when the server reads.
func TestStdioConnWaitsForRoom(t *testing.T) {
	c, stdin, _, _ := pipes(t)
	const messages = 6
	var wg sync.WaitGroup
	for range messages {
		wg.Go(func() {
			if err := c.Write(context.Background(), note(strings.Repeat("x", maxMessage/4))); err != nil {
				t.Error(err)
			}
		})
	}
	lines := 0
	buf := make([]byte, 1<<20)
	for lines < messages {
		n, err := stdin.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(buf[:n], []byte("\n"))
	}
	wg.Wait()
}

// A write that fails later breaks the connection, also if the server's stdout stays open.
func TestStdioConnLateFailure(t *testing.T) {
	defer func(d time.Duration) { exitGrace = d }(exitGrace)
	exitGrace = 50 * time.Millisecond
	c, stdin, stdout, _ := pipes(t)
	if err := c.Write(t.Context(), note(strings.Repeat("x", 1<<20))); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(stdout, `{"jsonrpc":"2.0","method":"answered"}`+"\n")
	if msg, err := c.Read(t.Context()); err != nil || msg.(*jsonrpc.Request).Method != "answered" {
		t.Errorf("got %v, error %v", msg, err)
	}
	closeAll(stdin)
	_, err := c.Read(t.Context())
	if err == nil || err == io.EOF || !ofPipe(err) {
		t.Errorf("error %v, want one of the pipe", err)
	}
	if again := c.Write(t.Context(), note("x")); again != err {
		t.Errorf("error %v, want %v", again, err)
	}
}

// Close ends everything that waits, also if the server goes on.
func TestStdioConnClose(t *testing.T) {
	c, stdin, stdout, _ := pipes(t)
	if err := c.Write(t.Context(), note(strings.Repeat("x", 1<<20))); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(context.Background())
		read <- err
	}()
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-read; err != io.EOF {
		t.Errorf("error %v", err)
	}
	if _, err := io.Copy(io.Discard, stdin); err != nil {
		t.Errorf("the end of the input: %v", err)
	}
	if err := c.Write(t.Context(), note("x")); !ofPipe(err) {
		t.Errorf("error %v", err)
	}
	if _, err := stdout.Write([]byte("bye\n")); err != nil && runtime.GOOS != "windows" {
		t.Errorf("a server that is told to end cannot write: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
