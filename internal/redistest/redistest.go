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

// A Server is a Redis server on a port of the loopback interface.
type Server struct {
	// URL is the same after a restart.
	URL string

	path, address string
	args          []string
	stop          func() // ends the process
}

// Start runs a server until the test ends, and returns its URL. It keeps nothing on
// disk. Where Redis is not installed the test is skipped; under CI that is a failure.
func Start(t testing.TB) (url string) {
	t.Helper()
	return start(t, "--save", "", "--appendonly", "no").URL
}

// StartLasting runs a server that may be stopped and started again in between, and has
// then what it had answered for.
func StartLasting(t testing.TB) *Server {
	t.Helper()
	return start(t, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
}

func start(t testing.TB, args ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed: install the package of this name")
		}
		t.Skip("this test needs Redis: install redis-server")
	}
	s := &Server{path: path, args: append(args, "--dir", t.TempDir()), stop: func() {}}
	t.Cleanup(func() { s.stop() })
	for range attempts {
		s.address = freeAddress(t)
		s.URL = "redis://" + s.address + "/0"
		if err = s.Start(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
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

// Stop kills the process.
func (s *Server) Stop() { s.stop() }

// Start starts it and waits until it answers.
func (s *Server) Start() error {
	_, port, _ := strings.Cut(s.address, ":")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, s.path, append([]string{"--bind", "127.0.0.1", "--port", port}, s.args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	s.stop = func() { cancel(); <-ended }
	for range 500 {
		select {
		case <-ended:
			cancel()
			return fmt.Errorf("redis-server has ended: %v\n%s", cmd.ProcessState, &out)
		case <-time.After(20 * time.Millisecond):
		}
		if answers(s.address) {
			return nil
		}
	}
	s.stop()
	return fmt.Errorf("redis-server does not answer at %s\n%s", s.address, &out)
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
