// Package redistest starts Redis servers for tests.
package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// attempts is how often another free port is tried: somebody else may take one
// between finding and using it.
const attempts = 5

// Start runs a Redis server on a free port of the loopback interface until the test
// ends, and returns its URL. It keeps nothing on disk. Where Redis is not installed
// the test is skipped; under CI that is a failure.
func Start(t testing.TB) (url string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed: install the package of this name")
		}
		t.Skip("this test needs Redis: install redis-server")
	}
	var output string
	for range attempts {
		address := freeAddress(t)
		if output, err = start(t, path, address); err == nil {
			return "redis://" + address + "/0"
		}
	}
	t.Fatalf("redis-server: %v\n%s", err, output)
	return ""
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func start(t testing.TB, path, address string) (output string, err error) {
	_, port, _ := strings.Cut(address, ":")
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		stop()
		return "", err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	end := func() { stop(); <-ended }
	for range 500 {
		select {
		case <-ended:
			stop()
			return out.String(), fmt.Errorf("it has ended: %v", cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
		if answers(address) {
			t.Cleanup(end)
			return "", nil
		}
	}
	end()
	return out.String(), fmt.Errorf("it does not answer at %s", address)
}

// answers tells whether a Redis server is at an address.
func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	answer := make([]byte, 5)
	_, err = conn.Read(answer)
	return err == nil && string(answer) == "+PONG"
}
