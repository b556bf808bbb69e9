package deps

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Spec is one entry of an allow list.
type Spec struct {
	// Registry is "npm" or "jsr".
	Registry string
	// Name is like "zod" or "@std/path".
	Name string
	// Range is like "^3" or "1.2.3", or the name of a tag. It is empty if any
	// version will do: then it is the latest at the time of the first
	// installation, which the lock records.
	Range string
}

func (s Spec) String() string {
	if s.Range == "" {
		return s.Registry + ":" + s.Name
	}
	return s.Registry + ":" + s.Name + "@" + s.Range
}

var (
	// Without the leading dot and underscore that npm forbids. Capitals are
	// refused: they exist in a few old names only, and help to imitate others.
	npmName = regexp.MustCompile(`^(?:@[a-z0-9][a-z0-9._~-]*/)?[a-z0-9][a-z0-9._~-]*$`)
	jsrName = regexp.MustCompile(`^@[a-z0-9](?:-?[a-z0-9])+/[a-z0-9](?:-?[a-z0-9])+$`)
	// A range has no spaces, so that a list of ranges is not one entry.
	versionRange = regexp.MustCompile(`^(?:\^|~|>=|<=|>|<|=)?v?(?:\d+|x|\*)(?:\.(?:\d+|x|\*)){0,2}(?:-[0-9A-Za-z.-]+)?$`)
	tagName      = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
)

const maxName = 214 // npm's own limit

// ParseSpec reads "npm:zod@^3", "npm:@scope/name@1.2.3", "jsr:@std/path@1" or,
// without a version, "npm:zod". Addresses, files, git and aliases are refused, and
// so are paths into a package: with the package all its paths are allowed.
func ParseSpec(text string) (Spec, error) {
	fail := func(format string, args ...any) (Spec, error) {
		return Spec{}, fmt.Errorf("deps: %q: %s", text, fmt.Sprintf(format, args...))
	}
	registry, rest, ok := strings.Cut(text, ":")
	switch {
	case !ok:
		return fail("name the registry, as in \"npm:%s\" or \"jsr:@scope/name\"", text)
	case registry != "npm" && registry != "jsr":
		return fail("%q is no registry, only packages of \"npm:\" and \"jsr:\" can be allowed", registry)
	}
	name, version, ranged := rest, "", false
	if at := strings.LastIndexByte(rest, '@'); at > 0 {
		name, version, ranged = rest[:at], rest[at+1:], true
	}
	valid, like := npmName, "like \"zod\" or \"@scope/name\", in lower case"
	if registry == "jsr" {
		valid, like = jsrName, "like \"@std/path\""
	}
	if len(name) > maxName || !valid.MatchString(name) || name == "node_modules" || name == "favicon.ico" {
		return fail("%q is no name of a package in %s, want one %s", name, registry, like)
	}
	if ranged && (len(version) > 64 || !versionRange.MatchString(version) && (registry == "jsr" || !tagName.MatchString(version))) {
		return fail("%q is no version, want one like \"^3\", \"~1.2\" or \"1.2.3\"", version)
	}
	return Spec{Registry: registry, Name: name, Range: version}, nil
}

// parseAll reads an allow list. The result is sorted.
func parseAll(allow []string) ([]Spec, error) {
	if len(allow) == 0 {
		return nil, errors.New("deps: Options.Allow is empty: list at least one package")
	}
	var specs []Spec
	for _, text := range allow {
		spec, err := ParseSpec(text)
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	slices.SortFunc(specs, func(x, y Spec) int { return strings.Compare(x.Name+x.String(), y.Name+y.String()) })
	specs = slices.Compact(specs)
	for i := 1; i < len(specs); i++ {
		if specs[i].Name == specs[i-1].Name {
			return nil, fmt.Errorf("deps: both %s and %s are allowed: a name must stand for one package", specs[i-1], specs[i])
		}
	}
	return specs, nil
}

// accepts reports whether a program that writes this range means the installed
// version.
func (s Spec) accepts(wanted, installed string) bool {
	if wanted == "" || wanted == s.Range || wanted == installed || wanted == "latest" && s.Range == "" {
		return true
	}
	operator := ""
	if strings.HasPrefix(wanted, "^") || strings.HasPrefix(wanted, "~") {
		operator, wanted = wanted[:1], wanted[1:]
	}
	want, ok := numbers(wanted)
	have, known := numbers(installed)
	if !ok || !known || len(have) < 3 {
		return false
	}
	// fixed is how many leading numbers must be equal.
	fixed := len(want)
	switch {
	case operator == "~":
		fixed = min(fixed, 2)
	case operator == "^":
		fixed = 1
		for fixed < len(want) && want[fixed-1] == 0 {
			fixed++
		}
	}
	if !slices.Equal(want[:fixed], have[:fixed]) {
		return false
	}
	return slices.Compare(have, want) >= 0
}

func numbers(version string) ([]int, bool) {
	var found []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, false
		}
		found = append(found, n)
	}
	return found, len(found) <= 3
}
