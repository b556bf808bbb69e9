package deps

// maxNesting is how deep a package's source may be nested by the count of [TooDeep]. esbuild
// takes up to 1.5 kB of stack for a level, and a stack of 512 MB ends this process.
const maxNesting = 200_000

// TooDeep reports whether a source is nested deeper than the limit, so that parsing
// it could exhaust the stack of this process, from which Go does not recover. It is an upper estimate: everything that
// has not been closed, or ended by a comma or semicolon, counts as a level. It is
// counted twice, with and without regard to strings, and the larger count decides.
func TooDeep(source []byte, limit int) bool {
	if len(source) <= limit {
		return false
	}
	return nesting(source, false) > limit || nesting(source, true) > limit
}

func nesting(source []byte, skipStrings bool) int {
	open := []int{0} // what each open bracket holds
	total, most := 0, 0
	quote, word := byte(0), false
	for n := 0; n < len(source); n++ {
		c := source[n]
		inWord := word
		word = false
		switch {
		case quote != 0:
			if c == '\\' {
				n++
			} else if c == quote || c == '\n' {
				quote = 0
			}
			continue
		case c == '"' || c == '\'':
			if skipStrings {
				quote = c
			}
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			continue
		case c == '(' || c == '[' || c == '{':
			open = append(open, 0)
		case c == ')' || c == ']' || c == '}':
			if last := len(open) - 1; last > 0 {
				total -= open[last]
				open = open[:last]
			}
		case c == ',' || c == ';':
			total -= open[len(open)-1]
			open[len(open)-1] = 0
			continue
		case c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z':
			word = true
			if inWord {
				continue
			}
		}
		open[len(open)-1]++
		total++
		most = max(most, total)
	}
	return most
}
