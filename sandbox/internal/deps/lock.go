package deps

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// layout is the version of everything that goes into a set besides the packages.
// A new one keeps sets of older code from being taken for ours.
const layout = "conductor-deps-1"

// A lock is what this package reads of Deno's lock file.
type lock struct {
	Version    string            `json:"version"`
	Specifiers map[string]string `json:"specifiers"`
	JSR        map[string]struct {
		Integrity string `json:"integrity"`
	} `json:"jsr"`
	NPM map[string]struct {
		Integrity string `json:"integrity"`
	} `json:"npm"`
	Remote    map[string]string `json:"remote"`
	Redirects map[string]string `json:"redirects"`
}

// maxLock bounds the lock that a caller or Deno gives.
const maxLock = 16 << 20

// parseLock reads a lock and refuses what has no integrity.
func parseLock(text []byte) (*lock, error) {
	var l lock
	if len(text) > maxLock {
		return nil, fmt.Errorf("deps: the lock has %d bytes, at most %d are accepted", len(text), maxLock)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, fmt.Errorf("deps: the lock is not JSON: %w", err)
	}
	if len(l.Remote) > 0 || len(l.Redirects) > 0 {
		return nil, fmt.Errorf("deps: %w: it names modules by address, packages of npm and JSR alone can be installed", ErrLock)
	}
	for key, p := range l.NPM {
		if !strings.HasPrefix(p.Integrity, "sha512-") {
			return nil, fmt.Errorf("deps: %w: npm:%s has the integrity %q, want a sha512", ErrIntegrity, key, p.Integrity)
		}
		if name, version := splitKey(key); name == "" || !safePath(name) || !safePath(version) {
			return nil, fmt.Errorf("deps: %w: %q is no package", ErrLock, key)
		}
	}
	for key, p := range l.JSR {
		if sum, err := hex.DecodeString(p.Integrity); err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("deps: %w: jsr:%s has the integrity %q, want a sha256", ErrIntegrity, key, p.Integrity)
		}
		if name, version := splitKey(key); !jsrName.MatchString(name) || !safePath(version) || strings.Contains(version, "/") {
			return nil, fmt.Errorf("deps: %w: %q is no package", ErrLock, key)
		}
	}
	return &l, nil
}

// splitKey takes "@scope/name@1.2.3_peer@4" apart; the peers are not returned.
func splitKey(key string) (name, version string) {
	at := strings.IndexByte(key[min(1, len(key)):], '@') + 1
	if at <= 1 {
		return "", ""
	}
	version, _, _ = strings.Cut(key[at+1:], "_")
	return key[:at], version
}

// find returns what a specifier without a path, such as "npm:zod@^3", was resolved
// to: the version and for npm the peers.
func (l *lock) find(registry, name, version string) (string, bool) {
	// Deno writes "^3" as "3" and no version as "*".
	for _, form := range []string{version, strings.TrimPrefix(version, "^"), "*"} {
		if found, ok := l.Specifiers[registry+":"+name+"@"+form]; ok && (form != "*" || version == "" || version == "*") {
			return found, true
		}
	}
	// Written in yet another way: there is no doubt if there is only one.
	var only string
	for specifier, found := range l.Specifiers {
		if key, ok := strings.CutPrefix(specifier, registry+":"); ok {
			if n, _ := splitKey(key); n == name {
				if only != "" && only != found {
					return "", false
				}
				only = found
			}
		}
	}
	return only, only != ""
}

// packages lists what is locked, sorted.
func (l *lock) packages(specs []Spec) ([]Package, error) {
	wanted := map[string]string{}
	for _, spec := range specs {
		version, ok := l.find(spec.Registry, spec.Name, spec.Range)
		if !ok {
			return nil, fmt.Errorf("deps: %w: it has no %s", ErrLock, spec)
		}
		wanted[spec.Registry+":"+spec.Name+"@"+version] = spec.String()
	}
	var all []Package
	add := func(registry, key, integrity string) {
		p := Package{Registry: registry, Integrity: integrity, Spec: wanted[registry+":"+key]}
		p.Name, p.Version = splitKey(key)
		all = append(all, p)
	}
	for _, key := range slices.Sorted(maps.Keys(l.JSR)) {
		add("jsr", key, l.JSR[key].Integrity)
	}
	for _, key := range slices.Sorted(maps.Keys(l.NPM)) {
		add("npm", key, l.NPM[key].Integrity)
	}
	return all, nil
}

// setHash is the content address of a set.
func setHash(specs []Spec, lockText []byte) (string, error) {
	var value any
	if err := json.Unmarshal(lockText, &value); err != nil {
		return "", fmt.Errorf("deps: the lock is not JSON: %w", err)
	}
	canonical, err := json.Marshal(value) // sorts keys and drops spaces
	if err != nil {
		return "", fmt.Errorf("deps: the lock: %w", err)
	}
	return hashOf(layout, allowText(specs), string(canonical)), nil
}

// requestHash names what was asked for when there is no lock yet.
func requestHash(o *Options, specs []Spec) string {
	parts := []string{layout, allowText(specs), o.MinAge.String()}
	for _, variable := range slices.Sorted(slices.Values(o.Env)) {
		if name, _, _ := strings.Cut(variable, "="); slices.Contains(registryEnv, name) {
			parts = append(parts, variable)
		}
	}
	return hashOf(parts...)
}

func allowText(specs []Spec) string {
	var lines []string
	for _, spec := range specs {
		lines = append(lines, spec.String())
	}
	return strings.Join(lines, "\n")
}

func hashOf(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
