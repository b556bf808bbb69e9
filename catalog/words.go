package catalog

import (
	_ "embed"
	"math"
)

// words.bin is made by internal/embedtable; NOTICE says of what.
//
//go:embed words.bin
var wordsFile string

// builtinWords are the vectors of the built-in embedder.
var builtinWords = openWords(wordsFile)

// A wordTable holds a vector for each of its words and pieces of words. It reads
// from the string that the linker put into the program's read-only data, so it takes
// nothing from the heap, and of the memory only the pages that were touched.
//
// The format, all numbers little-endian: "CVT1"; uint32 dimensions d, rows n, slots m
// (a power of two) and bytes t of text; n+1 uint32 offsets into the text; n float32
// scales; m uint16 slots of a hash table (row+1, or 0 if free); the text; n rows of d
// int8. A row's vector is its numbers times its scale. Pieces that continue a word
// begin with "##".
type wordTable struct {
	data                                  string
	dims                                  int
	mask                                  uint32 // slots-1
	offsets, scales, slots, text, vectors int    // where they begin
}

func openWords(data string) *wordTable {
	const header = 20
	if len(data) < header || data[:4] != "CVT1" {
		panic("catalog: words.bin is not a table of words")
	}
	t := &wordTable{data: data}
	t.dims = int(t.uint32(4))
	rows, slots, text := int(t.uint32(8)), int(t.uint32(12)), int(t.uint32(16))
	t.mask = uint32(slots - 1)
	t.offsets = header
	t.scales = t.offsets + 4*(rows+1)
	t.slots = t.scales + 4*rows
	t.text = t.slots + 2*slots
	t.vectors = t.text + text
	return t
}

func (t *wordTable) uint32(at int) uint32 {
	s := t.data[at : at+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// find returns the row of prefix+word, or -1.
func (t *wordTable) find(prefix, word string) int {
	h := uint32(2166136261) // FNV-1a
	for i := range len(prefix) {
		h = (h ^ uint32(prefix[i])) * 16777619
	}
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * 16777619
	}
	for slot := h & t.mask; ; slot = (slot + 1) & t.mask {
		at := t.slots + 2*int(slot)
		row := int(t.data[at]) | int(t.data[at+1])<<8
		if row--; row < 0 {
			return -1
		}
		from, to := t.uint32(t.offsets+4*row), t.uint32(t.offsets+4*row+4)
		w := t.data[t.text+int(from) : t.text+int(to)]
		if len(w) == len(prefix)+len(word) && w[:len(prefix)] == prefix && w[len(prefix):] == word {
			return row
		}
	}
}

// pieces calls emit with the rows that make up a word: its own, or else those of the
// longest pieces from the left. Letters that are in no piece are passed over. It
// reports whether the word, or at least three letters of its beginning, are known.
func (t *wordTable) pieces(word string, emit func(row int)) (known bool) {
	if row := t.find("", word); row >= 0 {
		emit(row)
		return true
	}
	prefix := ""
	for start := 0; start < len(word); prefix = "##" {
		end := len(word)
		for ; end > start; end-- {
			if row := t.find(prefix, word[start:end]); row >= 0 {
				emit(row)
				known = known || start == 0 && end >= 3
				break
			}
		}
		start = max(end, start+1)
	}
	return known
}

// add adds a row's vector, times weight, to sum.
func (t *wordTable) add(sum []float32, row int, weight float32) {
	weight *= math.Float32frombits(t.uint32(t.scales + 4*row))
	v := t.data[t.vectors+row*t.dims:][:len(sum)]
	for i := range sum {
		sum[i] += weight * float32(int8(v[i]))
	}
}
