package codegen_test

import (
	"slices"
	"testing"

	"github.com/conductor/conductor/codegen"
)

// tokens is a rough number of tokens: four bytes each.
func tokens(bytes int) int { return (bytes + 3) / 4 }

// TestDisclosure measures what the three levels cost in a model's context, over
// every tool of the corpora, and keeps them from growing unnoticed. The ceilings
// are what was measured and some room.
func TestDisclosure(t *testing.T) {
	var signatures, declarations, functions, modules []int
	for _, file := range toolFiles {
		for name, list := range corpusServers(t, file) {
			s := codegen.NewServer(name, list, nil)
			for _, tool := range list {
				signatures = append(signatures, len(s.Signature(tool.Name)))
				declarations = append(declarations, len(s.Declaration(tool.Name)))
				functions = append(functions, len(s.Module(tool.Name)))
			}
			modules = append(modules, len(s.Module(toolNames(list)...)))
		}
	}
	levels := []struct {
		name             string
		sizes            []int
		median, p90, p99 int // ceilings, in tokens
	}{
		{"signature of a tool", signatures, 28, 48, 55},
		{"declaration of a tool", declarations, 110, 230, 650},
		{"module of one tool", functions, 165, 290, 720},
		{"module of a server", modules, 500, 2700, 9500},
	}
	t.Logf("%-22s %6s  %15s %15s %15s", "bytes (tokens)", "number", "median", "p90", "p99")
	for _, level := range levels {
		slices.Sort(level.sizes)
		at := func(percent int) int { return level.sizes[len(level.sizes)*percent/100] }
		median, p90, p99 := at(50), at(90), at(99)
		t.Logf("%-22s %6d  %7d (%5d) %7d (%5d) %7d (%5d)", level.name, len(level.sizes),
			median, tokens(median), p90, tokens(p90), p99, tokens(p99))
		if tokens(median) > level.median || tokens(p90) > level.p90 || tokens(p99) > level.p99 {
			t.Errorf("%s exceeds %d, %d or %d tokens", level.name, level.median, level.p90, level.p99)
		}
	}
}
