package deps

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const manifestFile = "manifest.json"

// A manifest lists everything in the folder of a set, except itself. Paths are
// relative and have slashes.
type manifest struct {
	Files map[string]fileSum `json:"files"`
	Links map[string]string  `json:"links"` // path → target, relative
}

type fileSum struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// makeManifest reads a folder. What is neither a file nor a link within the folder
// is an error.
func makeManifest(ctx context.Context, dir string) (*manifest, error) {
	m := &manifest{Files: map[string]fileSum{}, Links: map[string]string{}}
	err := m.walk(ctx, dir, func(name string, sum fileSum, target string) error {
		if target != "" {
			m.Links[name] = target
		} else {
			m.Files[name] = sum
		}
		return nil
	})
	return m, err
}

// verify reads the folder again and compares.
func (m *manifest) verify(ctx context.Context, dir string) error {
	seen := 0
	err := m.walk(ctx, dir, func(name string, sum fileSum, target string) error {
		seen++
		wantSum, file := m.Files[name]
		wantTarget, link := m.Links[name]
		switch {
		case target != "" && link && target == wantTarget:
		case target == "" && file && sum == wantSum:
		case !file && !link:
			return fmt.Errorf("deps: %w: %s was added", ErrIntegrity, filepath.Join(dir, name))
		default:
			return fmt.Errorf("deps: %w: %s was changed after the installation", ErrIntegrity, filepath.Join(dir, name))
		}
		return nil
	})
	if err == nil && seen < len(m.Files)+len(m.Links) {
		err = fmt.Errorf("deps: %w: %d files of %s are missing", ErrIntegrity, len(m.Files)+len(m.Links)-seen, dir)
	}
	if errors.Is(err, ErrIntegrity) {
		return fmt.Errorf("%w; find out who wrote there, then remove the folder to install it again", err)
	}
	return err
}

// walk calls found for each file and link below dir, except the manifest.
func (m *manifest) walk(ctx context.Context, dir string, found func(name string, sum fileSum, target string) error) error {
	buf := make([]byte, 64<<10)
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		switch {
		case entry.IsDir() || name == manifestFile:
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			target = filepath.ToSlash(target)
			if inside := path.Join(path.Dir(name), target); path.IsAbs(target) || inside == ".." || strings.HasPrefix(inside, "../") {
				return fmt.Errorf("deps: %w: the link %s leads out of the folder", ErrIntegrity, file)
			}
			return found(name, fileSum{}, target)
		case !entry.Type().IsRegular():
			return fmt.Errorf("deps: %w: %s is neither a file nor a folder", ErrIntegrity, file)
		}
		sum, err := sumFile(file, buf)
		if err != nil {
			return err
		}
		return found(name, sum, "")
	})
}

func sumFile(file string, buf []byte) (fileSum, error) {
	f, err := os.Open(file)
	if err != nil {
		return fileSum{}, err
	}
	defer f.Close()
	h := sha256.New()
	// The wrapper keeps the copy from choosing a buffer of its own.
	size, err := io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
	return fileSum{Size: size, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// read returns a file that is as it was installed.
func (m *manifest) read(dir, name string) ([]byte, error) {
	want, ok := m.Files[name]
	if !ok {
		return nil, fmt.Errorf("deps: %w: %s is not a file of the set", ErrIntegrity, name)
	}
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want.SHA256 {
		return nil, fmt.Errorf("deps: %w: %s was changed after the installation", ErrIntegrity, filepath.Join(dir, name))
	}
	return data, nil
}

// write stores the manifest in the folder and returns the sum that vouches for it.
func (m *manifest) write(dir string) (string, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), os.WriteFile(filepath.Join(dir, manifestFile), text, 0o444)
}

// readManifest reads the manifest of a folder and compares it with its sum.
func readManifest(dir, sum string) (*manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	if found := sha256.Sum256(text); hex.EncodeToString(found[:]) != sum {
		return nil, fmt.Errorf("deps: %w: %s was changed after the installation; find out who wrote there, then remove the folder to install it again",
			ErrIntegrity, filepath.Join(dir, manifestFile))
	}
	var m manifest
	return &m, json.Unmarshal(text, &m)
}

// safePath reports whether a path with slashes stays below the folder that it is
// joined to, on every system.
func safePath(name string) bool {
	if name == "" || strings.ContainsAny(name, "\\:\x00") || path.IsAbs(name) {
		return false
	}
	return path.Clean(name) == name && name != ".." && !strings.HasPrefix(name, "../")
}

// freeze takes the write permission from everything in a folder.
func freeze(dir string) error {
	return filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Type()&fs.ModeSymlink != 0 || file == dir:
			return nil // dir itself is frozen when it is in place
		case entry.IsDir():
			return os.Chmod(file, 0o555)
		}
		return os.Chmod(file, 0o444)
	})
}

// removeAll removes a folder even if it was frozen.
func removeAll(dir string) error {
	_ = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(file, 0o700)
		}
		return nil // what stays is reported by RemoveAll
	})
	return os.RemoveAll(dir)
}
