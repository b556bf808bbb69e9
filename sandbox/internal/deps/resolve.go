package deps

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/conductor/conductor/internal/suggest"
)

// An Import is a specifier of a program that the allow list covers.
type Import struct {
	// ID is the same for all specifiers that mean the same module, like
	// "npm:zod@3.25.76/v4".
	ID string
	// Package is the one that is imported from.
	Package *Package
	// Path is the part behind the name, "" for the main entry, else like "v4".
	Path string
}

// PackageSpecifier matches what in an import can only mean a package.
var PackageSpecifier = regexp.MustCompile(`^(?:npm:|jsr:|@?[A-Za-z0-9][\w.~-]*(?:/|$))`)

// Resolve returns what a program means by "npm:zod@^3", "jsr:@std/path/posix",
// "zod" or "zod/v4". Its error wraps [ErrNotAllowed] if the allow list does not
// cover it.
func (s *Set) Resolve(specifier string) (*Import, error) {
	registry, rest, _ := strings.Cut(specifier, ":")
	if registry != "npm" && registry != "jsr" {
		registry, rest = "", specifier
	}
	name, version, inner := splitSpecifier(strings.TrimPrefix(rest, "/"))
	for _, spec := range s.specs {
		if spec.Name != name || registry != "" && registry != spec.Registry {
			continue
		}
		n := slices.IndexFunc(s.Packages, func(p Package) bool { return p.Spec == spec.String() })
		if n < 0 {
			break
		}
		p := &s.Packages[n]
		if !spec.accepts(version, p.Version) {
			return nil, fmt.Errorf("cannot import %q: %w in this version: %s is installed from %s, import %q", specifier, ErrNotAllowed, p.Version, spec, name)
		}
		id := fmt.Sprintf("%s:%s@%s", p.Registry, p.Name, p.Version)
		if inner != "" {
			id += "/" + inner
		}
		if inner != "" && (!safePath(inner) || strings.ContainsAny(inner, "?#%")) {
			return nil, fmt.Errorf("cannot import %q: %q is no path in a package", specifier, inner)
		}
		if p.Registry == "jsr" && p.Exports[jsrEntry(inner)] == "" {
			return nil, fmt.Errorf("cannot import %q: jsr:%s has no %q", specifier, p.Name, jsrEntry(inner))
		}
		return &Import{ID: id, Package: p, Path: inner}, nil
	}
	return nil, s.notAllowed(specifier, name)
}

// notAllowed says what is allowed instead, and which of that has a similar name: a
// near miss is a typing error or somebody's trap.
func (s *Set) notAllowed(specifier, name string) error {
	var names, allowed []string
	for _, spec := range s.specs {
		names, allowed = append(names, spec.Name), append(allowed, spec.String())
	}
	why := ""
	if slices.ContainsFunc(s.Packages, func(p Package) bool { return p.Name == name }) {
		why = " (it is installed only because another package needs it)"
	}
	return fmt.Errorf("cannot import %q: %w%s; allowed are %s%s", specifier, ErrNotAllowed, why, strings.Join(allowed, ", "), suggest.DidYouMean(name, names))
}

// splitSpecifier takes "@scope/name@range/path" apart.
func splitSpecifier(text string) (name, version, inner string) {
	start := 0
	if strings.HasPrefix(text, "@") {
		start = strings.IndexByte(text, '/') + 1
	}
	name = text
	if slash := strings.IndexByte(text[start:], '/'); slash >= 0 {
		name, inner = text[:start+slash], text[start+slash+1:]
	}
	if at := strings.LastIndexByte(name, '@'); at > 0 {
		name, version = name[:at], name[at+1:]
	}
	return name, version, inner
}

func jsrEntry(inner string) string {
	if inner == "" {
		return "."
	}
	return "./" + inner
}

// mainImports are the main entries of all allowed packages.
func (s *Set) mainImports() []*Import {
	var all []*Import
	for _, spec := range s.specs {
		if found, err := s.Resolve(spec.Registry + ":" + spec.Name); err == nil {
			all = append(all, found)
		}
	}
	return all
}
