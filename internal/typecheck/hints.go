package typecheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxType is how much of a type in a message is kept, and maxText of the whole.
	maxType = 300
	maxText = 1000
	// maxNames is how many names a hint lists.
	maxNames = 12
)

var (
	missingProperty = regexp.MustCompile(`Property '([^']*)' does not exist on type '(.*?)'\.`)
	didYouMean      = regexp.MustCompile(`\s*(Did you (?:mean|forget)[^?]*\?)`)
	lacksOne        = regexp.MustCompile(`Property '([^']*)' is missing in type '.*' but required in type '`)
	lacksSome       = regexp.MustCompile(`is missing the following properties from type '.*': ([^:]+?)\.?$`)
	quotedType      = regexp.MustCompile(`'[^']+'`)
	// aliasOf finds the name of a generated type at the end of what is expected.
	excess      = regexp.MustCompile(`does not exist in type '(\w+)'`)
	assigned    = regexp.MustCompile(`(?:parameter of |assignable to |required in |properties from )type '(\w+)'`)
	unknownName = regexp.MustCompile(`^Cannot find name '([^']+)'`)
	// expectedBy is what TypeScript says of a property whose value has the wrong type.
	expectedBy = regexp.MustCompile(`^The expected type comes from property '([^']*)' which is declared here on type '(\w+)'`)
	// widened is a literal that became any string on its way through a variable.
	widened       = regexp.MustCompile(`^Type '(?:string|number)' is not assignable to type '(?:"|\d)`)
	module        = regexp.MustCompile(`(?:[Mm]odule '"|typeof import\(")\./([^"]+)"`)
	argumentType  = regexp.MustCompile(`\w+\??: (\w+)`)
	exportedNames = regexp.MustCompile(`(?m)^export (?:async )?(?:function|const) ([\w$]+)`)
	renamed       = regexp.MustCompile(`\b[\w$]+ as "((?:[^"\\]|\\.)*)"`)
)

// explain shortens a message to what its reader needs, and finds a hint.
func explain(m *message, p *Program, l *layout) (text, hint string) {
	lines := strings.Split(m.Message, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	hint = hintFor(m, lines, p, l)
	// Of a chain of reasons the first line says where and the last one why.
	if m.Code == 7053 {
		lines = lines[len(lines)-1:] // the first line is about implicit any
	}
	if len(lines) > 2 {
		lines = []string{lines[0], lines[len(lines)-1]}
	}
	text = strings.Join(lines, " ")
	if m.Code == 2584 || m.Code == 2580 || m.Code == 2591 || m.Code == 2592 {
		// What follows is advice about a project that there is not.
		text, _, _ = strings.Cut(text, " Do you need to ")
	}
	if hint != "" {
		text = strings.TrimSpace(didYouMean.ReplaceAllString(text, ""))
	}
	text = quotedType.ReplaceAllStringFunc(text, func(quoted string) string {
		return "'" + cut(quoted[1:len(quoted)-1], maxType) + "'"
	})
	return cut(text, maxText), cut(hint, maxText)
}

// hintFor says what to do about a message, "" if that is not known.
func hintFor(m *message, lines []string, p *Program, l *layout) string {
	last := lines[len(lines)-1]
	if found := unknownName.FindStringSubmatch(lines[0]); found != nil {
		if hint := l.notImported(found[1]); hint != "" {
			return hint // whatever global is spelt like it
		}
	}
	for _, line := range lines {
		if found := didYouMean.FindStringSubmatch(line); found != nil {
			return lowerFirst(found[1])
		}
	}
	for _, r := range m.Related {
		if strings.HasPrefix(r.Message, "Did you ") {
			return lowerFirst(strings.Trim(r.Message, "\n "))
		}
	}
	if found := lacksOne.FindStringSubmatch(last); found != nil {
		return also("add the required property "+found[1], l.declaration(last+lines[0]))
	}
	if found := lacksSome.FindStringSubmatch(last); found != nil {
		return also("add the required properties "+found[1], l.declaration(last+lines[0]))
	}
	switch m.Code {
	case 2304, 2580, 2584, 2591, 2592, 2867, 2868:
		return missingGlobal(lines[0])
	case 2307, 2792:
		return l.available()
	case 2554, 2555:
		for _, r := range m.Related {
			if strings.HasPrefix(r.Message, "An argument for") {
				return also(lowerFirst(strings.TrimSuffix(r.Message, ".")), l.declaredAt(r.Location.URI, r.Location.Range))
			}
		}
	case 1192, 2613:
		if found := module.FindStringSubmatch(lines[0]); found != nil && l.sources[found[1]] != "" {
			return fmt.Sprintf("write import * as name from \"./%s\"", found[1])
		}
	case 2305, 2339, 2614, 7053:
		if found := module.FindStringSubmatch(last + lines[0]); found != nil {
			return l.exports(found[1])
		}
	case 2531, 2532, 2533, 18047, 18048, 18049:
		return "test it first, or use ?. and ??"
	case 2571, 18046:
		return "test its type first, or write (value as any)"
	}
	if widened.MatchString(last) && len(lines) > 1 {
		return "write `as const` behind the value"
	}
	for _, r := range m.Related {
		if found := expectedBy.FindStringSubmatch(r.Message); found != nil {
			return also("it is the property "+found[1], l.typeNamed(found[2]))
		}
	}
	return l.declaration(last + " " + lines[0])
}

// notImported says how to import what a name would mean if it were imported: a module,
// by the last part of its path, or a function of one.
func (l *layout) notImported(name string) string {
	var imports []string
	for _, specifier := range slices.Sorted(slices.Values(l.specifiers)) {
		dir, module := path.Split(specifier)
		switch {
		case dir == "":
		case module == name:
			return fmt.Sprintf("import it: import * as %s from %q", name, specifier)
		case exportsFunction(l.sources[path.Clean(specifier)], name):
			imports = append(imports, fmt.Sprintf("import { %s } from %q", name, specifier))
		}
	}
	if len(imports) == 0 {
		return ""
	}
	return "import it: " + strings.Join(imports[:min(len(imports), maxNames)], ", or ")
}

func exportsFunction(source, name string) bool {
	return slices.ContainsFunc(exportedNames.FindAllStringSubmatch(source, -1), func(found []string) bool { return found[1] == name })
}

// missingGlobal explains why a name of other runtimes is not here.
func missingGlobal(line string) string {
	switch name := quotedType.FindString(line); name {
	case "'Deno'":
		return "this program has no permissions, so there is no Deno namespace"
	case "'document'", "'window'", "'HTMLElement'", "'location'", "'localStorage'", "'XMLHttpRequest'", "'alert'", "'DOMParser'":
		return "the sandbox is no browser: there is no DOM"
	case "'require'", "'module'", "'exports'", "'__dirname'", "'__filename'":
		return "programs are modules: use import"
	}
	return ""
}

// declaration looks for a name of a generated type in a message and returns the text
// of that type, in one line.
func (l *layout) declaration(text string) string {
	for _, pattern := range []*regexp.Regexp{excess, assigned, ownType} {
		for _, found := range pattern.FindAllStringSubmatch(text, -1) {
			if declared := l.typeNamed(found[1]); declared != "" {
				return declared
			}
		}
	}
	return ""
}

// ownType is the type on which a property was looked for.
var ownType = regexp.MustCompile(`on type '(\w+)'`)

// declaredAt returns the type of the parameter that is declared at a place of a module.
func (l *layout) declaredAt(file string, at span) string {
	lines := strings.Split(l.sources[strings.TrimSuffix(file, ".ts")], "\n")
	line, column := at.Start.Line, at.Start.Character
	if line < 0 || line >= len(lines) || column < 0 || column >= len(lines[line]) {
		return ""
	}
	if found := argumentType.FindStringSubmatch(lines[line][column:]); found != nil {
		return l.typeNamed(found[1])
	}
	return ""
}

// typeNamed returns the text of a module's type, if there is one of this name only.
func (l *layout) typeNamed(name string) (declared string) {
	for _, source := range l.sources {
		_, rest, found := strings.Cut(source, "export type "+name+" = ")
		switch {
		case found && declared != "":
			return ""
		case found:
			declared = name + " is " + cut(oneLine(rest), maxType)
		}
	}
	return declared
}

var comment = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)

// oneLine returns the type at the beginning of a text without comments and breaks.
func oneLine(text string) string {
	// More than is shown need not be looked at, and comments are no part of it.
	text = comment.ReplaceAllString(cut(text, 50*maxType), "")
	depth, end := 0, len(text)
scan:
	for i, r := range text {
		switch r {
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			depth--
		case ';':
			if depth == 0 {
				end = i
				break scan
			}
		}
	}
	return strings.Join(strings.Fields(text[:end]), " ")
}

// exports lists what a module offers.
func (l *layout) exports(module string) string {
	source, ok := l.sources[module]
	if !ok {
		return ""
	}
	var names []string
	for _, found := range exportedNames.FindAllStringSubmatch(source, -1) {
		names = append(names, found[1])
	}
	for _, found := range renamed.FindAllStringSubmatch(source, -1) {
		names = append(names, `"`+found[1]+`"`)
	}
	if len(names) == 0 {
		return fmt.Sprintf("./%s has no tools", module)
	}
	return fmt.Sprintf("./%s has %s", module, list(names))
}

func (l *layout) available() string {
	names := slices.Sorted(slices.Values(l.specifiers))
	if len(names) == 0 {
		return "there is no module that this program can import"
	}
	return "the modules are " + list(names)
}

func list(names []string) string {
	if more := len(names) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

func also(hint, more string) string {
	if more == "" {
		return hint
	}
	return hint + "; " + more
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// cut shortens a text to about limit bytes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
