package deps

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// metaFile is the registry's description of a JSR package, beside its sources.
const metaFile = "_meta.json"

// jsrMeta is what this package reads of it.
type jsrMeta struct {
	Manifest map[string]struct {
		Checksum string `json:"checksum"`
	} `json:"manifest"`
	Exports map[string]string `json:"exports"`
}

// cacheMark begins the line that Deno puts behind a file in its cache.
var cacheMark = []byte("\n// denoCacheMetadata=")

// takeJSR copies the sources of the locked JSR packages from Deno's cache to
// jsr/<scope>/<name>/<version>. The lock vouches for the description of a package,
// and that for each file.
func takeJSR(l *lock, cache, dir string) error {
	if len(l.JSR) == 0 {
		return nil
	}
	cached := map[string][]byte{} // by address
	err := filepath.WalkDir(cache, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var about struct {
			URL string `json:"url"`
		}
		if at := bytes.LastIndex(data, cacheMark); at >= 0 && json.Unmarshal(data[at+len(cacheMark):], &about) == nil {
			cached[about.URL] = data[:at]
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("deps: reading what deno fetched: %w", err)
	}
	for key, locked := range l.JSR {
		name, version := splitKey(key)
		fail := func(what string) error {
			return fmt.Errorf("deps: %w: jsr:%s: %s", ErrIntegrity, key, what)
		}
		base := ""
		var meta jsrMeta
		for address, data := range cached {
			prefix, ok := strings.CutSuffix(address, "/"+name+"/"+version+metaFile)
			if ok && sha256Hex(data) == locked.Integrity && json.Unmarshal(data, &meta) == nil {
				base = prefix + "/" + name + "/" + version
				if err := writeBelow(dir, jsrDir(name, version)+"/"+metaFile, data); err != nil {
					return err
				}
				break
			}
		}
		if base == "" {
			return fail("its description is not the one in the lock")
		}
		for address, data := range cached {
			file, ok := strings.CutPrefix(address, base+"/")
			if !ok {
				continue
			}
			sum, listed := meta.Manifest["/"+file]
			if !listed || !safePath(file) || file == metaFile {
				return fail(fmt.Sprintf("the file %q is not one of it", file))
			}
			if sum.Checksum != "sha256-"+sha256Hex(data) {
				return fail(fmt.Sprintf("the file %q has another checksum", file))
			}
			if err := writeBelow(dir, jsrDir(name, version)+"/"+file, data); err != nil {
				return err
			}
		}
	}
	return nil
}

func jsrDir(name, version string) string { return "jsr/" + name + "/" + version }

func writeBelow(dir, name string, data []byte) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("deps: %w", err)
	}
	if err := os.WriteFile(file, data, 0o444); err != nil {
		return fmt.Errorf("deps: %w", err)
	}
	return nil
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// jsrExports reads the entries of an installed JSR package.
func (s *Set) jsrExports(p *Package) (map[string]string, error) {
	dir := jsrDir(p.Name, p.Version)
	text, err := s.manifest.read(s.Dir, dir+"/"+metaFile)
	if err != nil {
		return nil, err
	}
	var meta jsrMeta
	if err := json.Unmarshal(text, &meta); err != nil {
		return nil, fmt.Errorf("deps: the description of jsr:%s: %w", p.Name, err)
	}
	exports := map[string]string{}
	for entry, file := range meta.Exports {
		if file = path.Join(dir, file); strings.HasPrefix(file, dir+"/") && safePath(file) {
			exports[entry] = file
		}
	}
	return exports, nil
}

// jsrPackage returns the installed package.
func (s *Set) jsrPackage(name, version string) *Package {
	n := slices.IndexFunc(s.Packages, func(p Package) bool {
		return p.Registry == "jsr" && p.Name == name && p.Version == version
	})
	if n < 0 {
		return nil
	}
	return &s.Packages[n]
}
