package typecheck

import (
	"strings"

	_ "embed"
)

//go:embed globalnames.txt
var globalNames string

var isGlobal = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(globalNames) {
		names[name] = true
	}
	return names
}()

// IsGlobal tells whether a name means something in every program: a value or a type
// of the language or of the runtime, or a reserved word.
func IsGlobal(name string) bool { return isGlobal[name] }
