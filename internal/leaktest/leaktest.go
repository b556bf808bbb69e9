// Package leaktest fails a test that leaves a goroutine, a child process or a
// temporary file behind.
package leaktest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// settle is how long things that were told to stop may take to be gone.
const settle = 5 * time.Second

// Check records what runs now and, when the test and its cleanups that were
// registered later are over, fails the test if there is more. The temporary
// folder is private to the test from here on, so that a leftover file is the
// test's own. A test that uses Check must not be parallel.
func Check(t testing.TB) {
	t.Helper()
	tmp := t.TempDir()
	if tt, ok := t.(*testing.T); ok {
		tt.Setenv("TMPDIR", tmp)
	}
	goroutines := stacks()
	children := childProcesses()
	t.Cleanup(func() {
		var leaked []string
		for deadline := time.Now().Add(settle); ; time.Sleep(10 * time.Millisecond) {
			leaked = leaked[:0]
			leaked = append(leaked, added(goroutines, stacks())...)
			leaked = append(leaked, added(children, childProcesses())...)
			leaked = append(leaked, files(tmp)...)
			if len(leaked) == 0 {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
		t.Errorf("left behind after %v:\n%s", settle, strings.Join(leaked, "\n\n"))
	})
}

// stacks returns the stack of every goroutine by id, leaving out those that the
// runtime and the testing package own.
func stacks() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	found := map[string]string{}
	for _, stack := range strings.Split(string(buf), "\n\n") {
		header, _, _ := strings.Cut(stack, " [")
		if strings.Contains(stack, "testing.(*T).Run(") ||
			strings.Contains(stack, "testing.runTests(") ||
			strings.Contains(stack, "testing.(*M)") ||
			strings.Contains(stack, "leaktest.stacks(") ||
			strings.Contains(stack, "os/signal.loop") {
			continue
		}
		found[header] = stack
	}
	return found
}

// childProcesses returns this process's children by pid. It sees them on Linux
// only; elsewhere it finds none.
func childProcesses() map[string]string {
	found := map[string]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // gone already
		}
		// pid (command) state ppid …; the command may hold anything but ends at the last ')'.
		end := strings.LastIndexByte(string(data), ')')
		fields := strings.Fields(string(data[end+1:]))
		if end < 0 || len(fields) < 2 || fields[1] != fmt.Sprint(os.Getpid()) {
			continue
		}
		pid := filepath.Base(filepath.Dir(stat))
		found[pid] = "child process " + string(data[:end+1]) + " state " + fields[0]
	}
	return found
}

func files(dir string) []string {
	var found []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		found = append(found, "temporary file "+filepath.Join(dir, e.Name()))
	}
	return found
}

func added(before, after map[string]string) []string {
	var found []string
	for key, text := range after {
		if _, ok := before[key]; !ok {
			found = append(found, text)
		}
	}
	return found
}
