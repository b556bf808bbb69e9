package catalog

import "math"

const (
	minDeviation = 0.03 // see run.weigh
	sampleSize   = 256  // documents whose cosines estimate the deviation
)

// run is the ranking for one text.
type run struct {
	*scratch
	terms                  []string
	learned                [][]hint // by term, or nil
	vec                    []float32
	meanCosine             float64
	onWords, onVec, onServ float64 // weights that add up to 1
	deviation              float64 // what one standard deviation of a signal is worth
}

// scratch is the memory of a run, used again by later ones.
type scratch struct {
	words   []float32 // by document
	touched []int32   // documents with words > 0
	uses    []located
	servers []float64 // by segment
}

// reset makes room for n documents, all zero.
func (sc *scratch) reset(n int) {
	for _, at := range sc.touched {
		sc.words[at] = 0
	}
	sc.touched = sc.touched[:0]
	if cap(sc.words) < n {
		sc.words = make([]float32, n)
	}
	sc.words = sc.words[:cap(sc.words)]
}

// weigh turns deviations into weights that add up to 1. All signals are shares
// of their ideal, so the weighted mean is one too, and it ranks as the sum of
// z-scores does: a z-score's mean shifts all documents alike. A deviation near
// zero (a signal that is silent for this query, a catalog of one tool) would give
// all weight to that signal, hence the floor.
func (r *run) weigh(s *snapshot, words, servers, vecWeight, serverWeight float64) {
	r.onWords = 1 / max(words, minDeviation)
	if r.vec != nil {
		var dev float64
		r.meanCosine, dev = s.sampleCosines(r.vec)
		r.onVec = vecWeight / max(dev, minDeviation)
	}
	if servers > 0 {
		r.onServ = serverWeight / max(servers, minDeviation)
	}
	sum := r.onWords + r.onVec + r.onServ
	r.onWords, r.onVec, r.onServ = r.onWords/sum, r.onVec/sum, r.onServ/sum
	r.deviation = 1 / sum
}

// sampleCosines estimates mean and standard deviation of the cosines with vec
// from documents at equal distances.
func (s *snapshot) sampleCosines(vec []float32) (mean, dev float64) {
	var sum, squares, n float64
	step := max(s.len()/sampleSize, 1)
	next, at := 0, 0
	for _, g := range s.segments {
		for ; next < at+len(g.docs); next += step {
			if v := g.docs[next-at].vec; v != nil {
				x := dot(vec, v)
				sum += x
				squares += x * x
				n++
			}
		}
		at += len(g.docs)
	}
	if n == 0 {
		return 0, 0
	}
	return sum / n, deviation(sum, squares, n)
}

// score returns the match of a document with the text of the run, and whether
// they have anything in common.
func (r *run) score(n, seg int, d *doc, minCosine float64) (float64, bool) {
	words := float64(r.words[n])
	common := words > 0
	x := r.onWords * words
	if r.vec != nil {
		cos := r.meanCosine
		if d.vec != nil {
			cos = dot(r.vec, d.vec)
			common = common || cos > minCosine
		}
		x += r.onVec * max(cos, 0)
	}
	if r.servers != nil {
		x += r.onServ * r.servers[seg]
	}
	return x, common
}

// cutoff returns a word score that about want documents reach: at least so many,
// if there are, and whole steps of 1/256 of the best, so that no tie is cut.
func (r *run) cutoff(want int) float32 {
	if len(r.touched) <= want {
		return 0
	}
	var best float32
	for _, at := range r.touched {
		best = max(best, r.words[at])
	}
	const steps = 256
	var counts [steps + 1]int
	for _, at := range r.touched {
		counts[int(r.words[at]/best*steps)]++
	}
	for i, n := steps, 0; i > 0; i-- {
		if n += counts[i]; n >= want {
			return math.Nextafter32(float32(i)/steps*best, 0)
		}
	}
	return 0
}
