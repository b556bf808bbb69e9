package typecheck

import (
	"regexp"
	"slices"
	"strings"
)

const (
	// maxDiagnostics is how many mistakes are worth reading at once.
	maxDiagnostics = 5
	// maxConsidered is how many messages are looked at for them.
	maxConsidered = 200
	// severityError is LSP's.
	severityError = 1
)

// What TypeScript says of a program that runs as it is meant to all the same. A
// program of twenty lines that nobody will maintain is not made better by it.
var harmless = []int{
	1184, // `declare` in the body of a function, which the wrapper is
	2454, // a variable that may not have been set yet: it is undefined then
	2578, // a @ts-expect-error without an error
	2869, // the right side of ?? is never used
	2870,
	2871,
	2872, // always truthy
	2873, // always falsy
	2881,
}

// Codes from 1000 to 1999 are about syntax, except for these.
var notSyntax = []int{
	1192, // no default export
	1259, // a default import of a module that has none
	1320, // await of what has a wrong then
	1345, // a void is tested for truth
	1360, // does not satisfy
	1361, // imported as a type, used as a value
	1362,
}

// relevant tells whether a message is a mistake that the author should hear of.
func relevant(m *message, p *Program, l *layout) bool {
	if slices.Contains(harmless, m.Code) {
		return false
	}
	switch {
	case m.Code >= 1000 && m.Code < 2000:
		return p.Syntax || slices.Contains(notSyntax, m.Code)
	case m.Code == 7053:
		// Of implicit any only this: a name in brackets that a known type does not
		// have. A key that is no literal, or an object that was empty, is a way to
		// write JavaScript.
		missing := missingProperty.FindStringSubmatch(m.Message)
		return missing != nil && !openType(missing[2])
	case m.Code == 2339:
		missing := missingProperty.FindStringSubmatch(m.Message)
		return missing == nil || !openType(missing[2])
	case slices.Contains(nothingFits, m.Code):
		return !fitsNothing.MatchString(m.Message)
	case m.Code == 18047 || m.Code == 18048:
		// Of a variable that was declared without a type and set since.
		name := quotedType.FindString(m.Message)
		return !untypedVariable(l.program, strings.Trim(name, "'"))
	case m.Code == 2307 || m.Code == 2792:
		// What the caller knows is there, though its types were not found.
		named := func(specifier string) bool { return strings.Contains(m.Message, "'"+specifier+"'") }
		return !slices.ContainsFunc(l.specifiers, named) &&
			!slices.ContainsFunc(p.Packages, func(k Package) bool { return named(k.Specifier) })
	}
	return true
}

// openType tells whether the absence of a property says nothing about the program. An
// object that begins as {} gets its properties later. And never is what TypeScript
// takes a variable for that is null where it is declared and set in a callback.
func openType(name string) bool { return name == "{}" || name == "never" }

// nothingFits are the codes of a value that fits no type. Where the type is never, it
// is that of an array that was empty, or of a property of one.
var (
	nothingFits = []int{2322, 2345}
	fitsNothing = regexp.MustCompile(`^[^\n]* (?:to|of) type 'never'\.`)
)

// untypedVariable tells whether a name is that of a variable for which the program
// states no type, and no value that has one.
func untypedVariable(program, name string) bool {
	pattern := `\b(?:let|var)\s(?:[^;\n=]*,)?\s*` + regexp.QuoteMeta(name) + `\s*(?:=\s*(?:null|undefined)\s*)?(?:[;,\n]|$)`
	found, err := regexp.MatchString(pattern, program)
	return err == nil && found
}

// diagnose turns what the server said into what the author of the program reads. A
// hostile program has a hundred thousand mistakes, so that little is done for each.
func diagnose(p *Program, l *layout, said []message) []Diagnostic {
	type placed struct {
		line, column int
		message      *message
	}
	var all []placed
	for i := range said {
		m := &said[i]
		line := m.Range.Start.Line + 1
		if p.UserLine != nil {
			line = p.UserLine(line)
		}
		// Implicit any comes in numbers, and only one kind of it counts.
		implicit := m.Code >= 7000 && m.Code < 8000 && m.Code != 7053
		if m.Severity == severityError && line > 0 && !implicit {
			all = append(all, placed{line, max(1, m.Range.Start.Character+1), m})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.column - b.column
	})
	var found []Diagnostic
	for _, at := range all[:min(len(all), maxConsidered)] {
		if !relevant(at.message, p, l) {
			continue
		}
		// One place, one mistake: what else is said of it follows from the first.
		if last := len(found) - 1; last >= 0 && found[last].Line == at.line && found[last].Column == at.column {
			continue
		}
		text, hint := explain(at.message, p, l)
		found = append(found, Diagnostic{Line: at.line, Column: at.column, Code: at.message.Code, Message: text, Hint: hint})
		if len(found) == maxDiagnostics {
			break
		}
	}
	return found
}
