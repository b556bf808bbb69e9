package codegen

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxIdentifier bounds the runes of a generated identifier. The exact name
// stays available as a string-named export, however long it is.
const maxIdentifier = 64

// reservedWords cannot be, or should not be, the name of a generated function
// or namespace: the words of ECMAScript in strict mode, the words that
// TypeScript predefines, the names the module itself uses, and "then", whose
// export would make `await import()` call it.
var reservedWords = wordSet(`
	arguments await break case catch class const continue debugger default delete do else enum eval export
	extends false finally for function if implements import in instanceof interface let new null package
	private protected public return static super switch this throw true try typeof var void while with yield
	abstract any as asserts async bigint boolean constructor declare from get global infer intrinsic is keyof
	module namespace never number object of out override readonly require satisfies set string symbol type
	undefined unique unknown using
	args call fillLists then __proto__ exports globalThis Infinity NaN Object Pick Promise Required`)

// globalNames are values that a program expects to find; the namespace of a
// server must not hide them.
var globalNames = wordSet(`
	AbortController AbortSignal AggregateError Array ArrayBuffer Atomics BigInt Blob Boolean Buffer DataView Date
	Deno Error Event EventTarget FinalizationRegistry FormData Function Headers Intl Iterator JSON Map Math Number
	Proxy RangeError Reflect RegExp Request Response Set String Symbol SyntaxError TextDecoder TextEncoder
	TypeError URL URLSearchParams WeakMap WeakRef WeakSet WebAssembly Worker atob btoa clearInterval clearTimeout
	console crypto decodeURI decodeURIComponent encodeURI encodeURIComponent escape fetch isFinite isNaN location
	name navigator parseFloat parseInt performance process queueMicrotask self setInterval setTimeout
	structuredClone unescape window`)

func wordSet(words string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

// neverExported are names under which nothing is exported: "then" would turn
// the module into a thenable, and "__proto__" would set the prototype of the
// object that a bundler makes of the module.
func neverExported(name string) bool { return name == "then" || name == "__proto__" }

// identifierStart and identifierPart accept a little less than ECMAScript does:
// no `$` handling is needed beyond ASCII, and letters beyond the basic plane
// are left out because readers of code disagree on the newer ones.
func identifierStart(r rune) bool {
	return r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' ||
		r > 0x7f && r <= 0xffff && r != utf8.RuneError && unicode.IsLetter(r) && !hidden(r)
}

func identifierPart(r rune) bool {
	return identifierStart(r) || r >= '0' && r <= '9' ||
		r > 0x7f && r <= 0xffff && unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc) && !hidden(r)
}

// identifier turns any text into a valid identifier that resembles it: each
// run of other runes becomes one `_`, a leading digit gets a `_` in front, and
// a reserved word one behind.
func identifier(s string) string {
	var b strings.Builder
	runes, run := 0, false
	for _, r := range s {
		if runes >= maxIdentifier {
			break
		}
		ok := identifierPart(r)
		switch {
		case runes == 0 && ok && !identifierStart(r):
			b.WriteByte('_')
			b.WriteRune(r)
		case ok:
			b.WriteRune(r)
		case !run:
			b.WriteByte('_')
		}
		if ok || !run {
			runes++
		}
		run = !ok
	}
	name := b.String()
	if name == "" {
		name = "_"
	}
	if reservedWords[name] {
		name += "_"
	}
	return name
}

// namespace is the identifier under which a program imports a server.
func namespace(server string) string {
	name := identifier(server)
	if globalNames[name] {
		name += "_"
	}
	return name
}

// resembles reports whether an identifier differs from a tool's name in nothing
// but separators and case, so that a reader knows the one from the other.
func resembles(function, name string) bool {
	letters := func(s string) string {
		return strings.ToLower(strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return r
			}
			return -1
		}, s))
	}
	return letters(function) == letters(name) && letters(name) != ""
}

// functionNames gives each tool an identifier. A name that already is one
// keeps it, whatever else the server offers, so that `a_b` never calls `a-b`;
// the others follow in sorted order and get a suffix where they collide.
func functionNames(tools []string) map[string]string {
	names := make(map[string]string, len(tools))
	taken := make(nameSet, len(tools))
	var rest []string
	for _, tool := range tools {
		// An exact name is an export of its own, so no identifier may be
		// equal to the exact name of another tool.
		taken[tool] = 1
		if identifier(tool) == tool {
			names[tool] = tool
		} else {
			rest = append(rest, tool)
		}
	}
	slices.Sort(rest)
	for _, tool := range rest {
		names[tool] = unique(identifier(tool), "_", taken)
	}
	return names
}

// typePrefixes gives each tool the PascalCase word that begins the names of its
// types. It has no underscore, which separates it from the rest of a name:
// that keeps the types of different tools apart.
func typePrefixes(tools []string, functions map[string]string) map[string]string {
	sorted := slices.Clone(tools)
	slices.Sort(sorted)
	prefixes := make(map[string]string, len(tools))
	taken := make(nameSet, len(tools))
	for _, tool := range sorted {
		prefixes[tool] = unique(pascal(functions[tool]), "", taken)
	}
	return prefixes
}

func pascal(ident string) string {
	var b strings.Builder
	up := true
	for _, r := range ident {
		if r == '_' || r == '$' {
			up = true
			continue
		}
		if up {
			r = unicode.ToUpper(r)
			up = false
		}
		b.WriteRune(r)
	}
	name := b.String()
	if name == "" {
		return "Tool"
	}
	if first, _ := utf8.DecodeRuneInString(name); !identifierStart(first) {
		return "T" + name
	}
	return name
}

// unique returns name, or name with the first free number from 2 on, and takes
// it.
func unique(name, separator string, taken nameSet) string {
	candidate := name
	for n := max(2, taken[name]); taken[candidate] > 0; n++ {
		candidate = name + separator + strconv.Itoa(n)
		taken[name] = n + 1
	}
	taken[candidate] = max(1, taken[candidate])
	return candidate
}

// A nameSet holds the names that are taken, each with the number at which the
// search for a free suffix goes on; a server with ten thousand tools named "!"
// must not cost ten thousand searches from 2 on.
type nameSet map[string]int

// propertyKey writes a property name of an object type.
func propertyKey(name string) string {
	if plainKey(name) {
		return name
	}
	return quote(name)
}

func plainKey(name string) bool {
	for i, r := range name {
		letter := r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
