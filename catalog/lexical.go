package catalog

import (
	"context"
	"math"
	"strings"
)

// The built-in embedder hashes what BM25F cannot see into a short vector:
// synonyms and spelling, on top of the words themselves. It knows no corpus, so
// a vector depends on its text alone and never goes stale.
const (
	// More dimensions mean fewer collisions and a longer walk through memory. On
	// the public sets 256 and 512 rank alike, and 128 a little worse where queries
	// paraphrase.
	lexicalDims = 256

	wordShare    = 1.0 // weight of a word itself
	synonymShare = 3.0 // of all the groups of synonyms it is in
	spellShare   = 1.0 // of its character n-grams
	nameBoost    = 2.0 // weight of the first line, where tools are named
	maxLexWords  = 200 // words read of one text
)

// embedLexical is the built-in [EmbeddingFunc].
func embedLexical(_ context.Context, text string) ([]float32, error) {
	return lexicalVector(text), nil
}

// lexicalVector returns a unit vector, or nil for a text without words.
func lexicalVector(text string) []float32 {
	var words []weighted
	seen := make(map[string]int)
	head, body, _ := strings.Cut(text, "\n")
	read := func(part string, weight float64) {
		tokenize(part, func(w string) {
			if stopWords[w] || len(words) >= maxLexWords {
				return
			}
			st := stem(w)
			i, ok := seen[st]
			if !ok {
				i = len(words)
				seen[st] = i
				words = append(words, weighted{stem: st})
			}
			words[i].weight += weight
		})
	}
	if body == "" {
		read(head, 1)
	} else {
		read(head, nameBoost)
		read(body, 1)
	}
	if len(words) == 0 {
		return nil
	}
	var acc [lexicalDims]float64
	for _, w := range words {
		// Repetition counts less and less; words that any tool may use count less.
		x := math.Sqrt(w.weight)
		if commonWords[w.stem] {
			x *= .4
		}
		spread(&acc, 'w', w.stem, x*wordShare)
		if groups := synonyms[w.stem]; len(groups) > 0 {
			y := x * synonymShare / math.Sqrt(float64(len(groups)))
			for _, g := range groups {
				spread(&acc, 'g', g, y)
			}
		}
		spell(&acc, w.stem, x*spellShare)
	}
	out := make([]float32, lexicalDims)
	var squares float64
	for _, v := range acc {
		squares += v * v
	}
	if squares == 0 {
		return nil
	}
	scale := 1 / math.Sqrt(squares)
	for i, v := range acc {
		out[i] = float32(v * scale)
	}
	return out
}

type weighted struct {
	stem   string
	weight float64
}

// spread adds a feature with weight x as two signed components, so that two features that
// collide in one still differ in the other.
func spread(acc *[lexicalDims]float64, kind byte, feature string, x float64) {
	h := hash(kind, feature)
	x *= math.Sqrt2 / 2
	for range 2 {
		i := h % lexicalDims
		if h>>16&1 == 0 {
			acc[i] += x
		} else {
			acc[i] -= x
		}
		h >>= 32
	}
}

// spell adds the 3-grams of a word, marked at both ends, with weight x in all.
func spell(acc *[lexicalDims]float64, word string, x float64) {
	if len(word) < 4 {
		return
	}
	marked := "^" + word + "$"
	n := len(marked) - 2
	x /= math.Sqrt(float64(n))
	for i := range n {
		h := hash('c', marked[i:i+3])
		if h>>16&1 == 0 {
			acc[h%lexicalDims] += x
		} else {
			acc[h%lexicalDims] -= x
		}
	}
}

// hash is FNV-1a with a final mix (of MurmurHash3), the same on every machine
// and in every version.
func hash(kind byte, s string) uint64 {
	h := (uint64(14695981039346656037) ^ uint64(kind)) * 1099511628211
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
