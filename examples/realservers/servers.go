package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/conductor/conductor/mcpclient"
)

// version pins the packages, so that the example does tomorrow what it did today.
const version = "@2026.8.31"

// servers returns the four servers. The filesystem server sees folder and nothing
// else; the memory server keeps its entities in the file memory, since by default
// it writes into its own package.
func servers(folder, memory string) []mcpclient.Server {
	return []mcpclient.Server{
		npx("everything", "@modelcontextprotocol/server-everything"),
		npx("filesystem", "@modelcontextprotocol/server-filesystem", folder),
		withEnv(npx("memory", "@modelcontextprotocol/server-memory"), "MEMORY_FILE_PATH", memory),
		npx("thinking", "@modelcontextprotocol/server-sequential-thinking"),
	}
}

func npx(name, pkg string, args ...string) mcpclient.Server {
	return mcpclient.Server{
		Name:    name,
		Command: "npx",
		Args:    append([]string{"-y", pkg + version}, args...),
		// The first start installs the package.
		ConnectTimeout: 2 * time.Minute,
	}
}

func withEnv(s mcpclient.Server, name, value string) mcpclient.Server {
	s.Env = map[string]string{name: value}
	return s
}

// The files that the filesystem server shows.
var files = map[string]string{
	"fjords.txt":    "Geirangerfjord\nHardangerfjord\nSognefjord\n",
	"mountains.txt": "Galdhopiggen\nGlittertind\n",
	"readme.md":     "# Places\n\nOne name to a line.\n",
}

// workspace is a temporary folder with the files, and beside them a place for the
// memory server's.
type workspace struct{ root, folder, memory string }

func newWorkspace() (*workspace, error) {
	root, err := os.MkdirTemp("", "realservers-")
	if err != nil {
		return nil, err
	}
	w := &workspace{root: root}
	if err := w.fill(); err != nil {
		return nil, errors.Join(fmt.Errorf("preparing files for the servers: %w", err), w.remove())
	}
	return w, nil
}

func (w *workspace) fill() error {
	// The server compares real paths, and a temporary folder may be behind a link.
	real, err := filepath.EvalSymlinks(w.root)
	if err != nil {
		return err
	}
	w.folder = filepath.Join(real, "places")
	w.memory = filepath.Join(real, "memory.jsonl")
	if err := os.MkdirAll(filepath.Join(w.folder, "archive"), 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(w.folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (w *workspace) remove() error { return os.RemoveAll(w.root) }
