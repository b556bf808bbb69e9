package catalog

import (
	"math"
	"strings"
)

const (
	nameBoost   = 2   // weight of the first line, where tools are named
	maxTextRows = 256 // different words and pieces read of one text
)

// builtinVector is the built-in embedder: the weighted mean of the vectors of the
// text's words, at length 1. Words that are repeated count less and less. It returns
// nil for a text without a word that it knows. The same text gives the same vector everywhere.
func builtinVector(text string) []float32 {
	var rows []int
	var counts []float32
	at := make(map[int]int)
	known := false
	read := func(part string, weight float32) {
		tokenizeParts(part, func(word string) {
			ok := builtinWords.pieces(word, func(row int) {
				i, ok := at[row]
				if !ok {
					if len(rows) == maxTextRows {
						return
					}
					i = len(rows)
					at[row] = i
					rows, counts = append(rows, row), append(counts, 0)
				}
				counts[i] += weight
			})
			known = known || ok
		})
	}
	if head, body, named := strings.Cut(text, "\n"); named {
		read(head, nameBoost)
		read(body, 1)
	} else {
		read(text, 1)
	}
	if !known {
		return nil
	}
	sum := make([]float32, builtinWords.dims)
	for i, row := range rows {
		builtinWords.add(sum, row, float32(math.Sqrt(float64(counts[i]))))
	}
	v, err := unit(sum)
	if err != nil {
		return nil
	}
	return v
}
