package catalog

import "slices"

// A dictionary finds the segments that have a term, for many segments at once:
// to ask each of thousands of servers for each word of a query takes longer than all
// the rest of a search. It is immutable, and outlives the segments in it that are
// replaced; a snapshot knows which still are there.
type dictionary struct {
	segments []*segment
	terms    map[string][]located
}

// located is a term in a segment.
type located struct {
	seg int // the index of the segment
	termUse
}

// minLoose is how many segments are asked one by one before there is a dictionary.
// More are allowed beside a larger one, so that to add servers one by one costs a
// few times as much as to add them at once, and not the square.
const minLoose = 256

func newDictionary(segments []*segment) *dictionary {
	d := &dictionary{segments: segments, terms: make(map[string][]located)}
	counts := make(map[string]int)
	for _, g := range segments {
		for t := range g.terms {
			counts[t]++
		}
	}
	for i, g := range segments {
		for t, use := range g.terms {
			list := d.terms[t]
			if list == nil {
				list = make([]located, 0, counts[t])
			}
			d.terms[t] = append(list, located{i, use})
		}
	}
	return d
}

// lookup says which segments a snapshot finds through its dictionary.
type lookup struct {
	dict  *dictionary // nil while there are few segments
	place []int32     // of the dictionary's segments in the snapshot, -1 if gone
	loose []int32     // the snapshot's other segments, in order
}

// changed returns the lookup after the segment at index i was inserted, replaced or
// removed; segments are those of the snapshot after that.
func (l *lookup) changed(segments []*segment, i int, replaced, removed bool) lookup {
	shift := func(at int32) int32 {
		switch {
		case int(at) < i:
			return at
		case !replaced && !removed:
			return at + 1
		case int(at) == i:
			return -1
		case removed:
			return at - 1
		}
		return at
	}
	next := lookup{dict: l.dict, place: make([]int32, len(l.place)), loose: make([]int32, 0, len(l.loose)+1)}
	for at, p := range l.place {
		next.place[at] = shift(p)
	}
	for _, p := range l.loose {
		if p = shift(p); p >= 0 {
			next.loose = append(next.loose, p)
		}
	}
	if !removed {
		at, _ := slices.BinarySearch(next.loose, int32(i))
		next.loose = slices.Insert(next.loose, at, int32(i))
	}
	if len(next.loose) > max(minLoose, len(next.place)/2) {
		next = lookup{dict: newDictionary(segments), place: make([]int32, len(segments))}
		for at := range next.place {
			next.place[at] = int32(at)
		}
	}
	return next
}

// find appends the uses of a term, in order of segment.
func (l *lookup) find(term string, segments []*segment, uses []located) []located {
	start := len(uses)
	if l.dict != nil {
		for _, u := range l.dict.terms[term] {
			if p := l.place[u.seg]; p >= 0 {
				uses = append(uses, located{int(p), u.termUse})
			}
		}
	}
	middle := len(uses)
	for _, i := range l.loose {
		if u, ok := segments[i].terms[term]; ok {
			uses = append(uses, located{int(i), u})
		}
	}
	if middle > start && len(uses) > middle {
		slices.SortFunc(uses[start:], func(a, b located) int { return a.seg - b.seg })
	}
	return uses
}
