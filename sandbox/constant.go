package sandbox

import "slices"

// A constantScan looks for a last statement of nothing but literals, such as "a" + "b".
// It only finds what is surely a statement of its own.
type constantScan struct {
	*scanner
	found  declaration
	within bool // everything since found.start is of such an expression
	whole  bool // it could end here: an operand is complete
}

var (
	constants         = []string{"true", "false", "null", "undefined", "NaN", "Infinity"}
	constantPrefixes  = []string{"!", "~", "typeof", "void"}
	constantOperators = []string{"+", "-", "*", "/", "%", "&", "|", "^", "<", ">", "=", "?", ":", "(", ")"}
)

// take looks at a token of the program, with the one before it.
func (c *constantScan) take(t, before token) {
	if c.is(t, ";") && c.depth == 0 {
		return
	}
	operand := t.kind == tokenString || t.kind == tokenNumber || slices.Contains(constants, c.text(t))
	prefix := operand || slices.Contains(constantPrefixes, c.text(t))
	bracket := c.is(t, "(")
	outside := c.depth == 0 || bracket && c.depth == 1 // the bracket itself counts
	switch {
	case outside && (before.kind == tokenEOF || c.is(before, ";")):
		c.found.start, c.within = t.start, prefix || bracket || c.is(t, "-") || c.is(t, "+")
	case outside && t.newline && prefix && c.mayEnd(before):
		c.found.start, c.within = t.start, true
	case c.whole && (prefix || bracket): // two expressions, or a call
		c.within = false
	default:
		c.within = c.within && (prefix || slices.Contains(constantOperators, c.text(t)))
	}
	c.found.end, c.whole = t.end, c.depth == 0 && (operand || c.is(t, ")"))
}

// mayEnd reports whether a token ends a statement if what is on the next line cannot go
// on with it. Behind a word or a bracket it could be the body of a condition.
func (c *constantScan) mayEnd(t token) bool {
	return t.kind == tokenString || t.kind == tokenNumber || c.is(t, "}") || c.is(t, "]")
}

// last returns the statement, nil if the last one is none.
func (c *constantScan) last() *declaration {
	if !c.within || !c.whole {
		return nil
	}
	return &c.found
}
