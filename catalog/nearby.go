package catalog

import (
	"cmp"
	"math/bits"
	"slices"
)

const (
	// sketchWords is how many words of sign bits stand for a vector: as many as the
	// built-in embedder has dimensions. Of longer vectors the first ones count.
	sketchWords = 3

	// exactBelow is how many vectors are all compared exactly. Among more, those
	// whose signs differ least are, and as many as sketched times those wanted: of the
	// 100 nearest of 100,000 tools 99 are among them.
	exactBelow = 4000
	sketched   = 20
)

// A sketch has a bit for each of the first dimensions of a vector: its sign.
type sketch [sketchWords]uint64

func sketchOf(vec []float32) (s sketch) {
	for i, x := range vec[:min(len(vec), 64*sketchWords)] {
		if x > 0 {
			s[i/64] |= 1 << (i % 64)
		}
	}
	return s
}

// distance is how many bits differ.
func (s sketch) distance(t sketch) int {
	return bits.OnesCount64(s[0]^t[0]) + bits.OnesCount64(s[1]^t[1]) + bits.OnesCount64(s[2]^t[2])
}

// A neighbour is a document near a vector.
type neighbour struct {
	n      int // its number
	cosine float64
}

// nearest returns the numbers of the k documents that are nearest to vec and not
// opposite to it; ties are in order of number.
func (s *snapshot) nearest(vec []float32, k int) []int {
	var found []neighbour
	compare := func(n int, d *doc) {
		if c := dot(vec, d.vec); c > 0 {
			found = append(found, neighbour{n, c})
		}
	}
	if s.embedded <= exactBelow {
		for i, g := range s.segments {
			for j := range g.docs {
				if d := &g.docs[j]; d.vec != nil {
					compare(s.base[i]+j, d)
				}
			}
		}
	} else {
		for _, n := range s.similarSigns(sketchOf(vec), sketched*k) {
			d, _ := s.at(n)
			compare(n, d)
		}
	}
	slices.SortFunc(found, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.n, b.n))
	})
	out := make([]int, min(k, len(found)))
	for i := range out {
		out[i] = found[i].n
	}
	return out
}

// similarSigns returns the numbers of the most documents whose sketches differ least
// from one, the first ones where that is a tie.
func (s *snapshot) similarSigns(from sketch, most int) []int {
	var counts [64*sketchWords + 1]int
	distances := make([]uint8, 0, s.len())
	for _, g := range s.segments {
		for i := range g.sketches {
			d := from.distance(g.sketches[i])
			counts[d]++
			distances = append(distances, uint8(d))
		}
	}
	limit, below := 0, 0 // all below limit, and of those at it as many as there is room for
	for ; limit < len(counts) && below+counts[limit] <= most; limit++ {
		below += counts[limit]
	}
	ties := most - below
	out := make([]int, 0, most)
	at := 0
	for i, g := range s.segments {
		for j := range g.sketches {
			d := int(distances[at])
			at++
			if d > limit || g.docs[j].vec == nil {
				continue
			}
			if d == limit {
				if ties == 0 {
					continue
				}
				ties--
			}
			out = append(out, s.base[i]+j)
		}
	}
	return out
}
