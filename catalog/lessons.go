package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// lessons are the counts behind a [Learning], as they are stored.
type lessons struct {
	Format int                `json:"format"`
	Tools  map[string]*taught `json:"tools"`
}

const lessonsFormat = 1

// taught is what is known of one tool.
type taught struct {
	Uses  tally            `json:"uses,omitzero"`  // conversations that called it
	Turns tally            `json:"turns,omitzero"` // the same, with a turn after it
	Terms map[string]tally `json:"terms,omitempty"`
	With  map[string]tally `json:"with,omitempty"` // in the same turn
	Next  map[string]tally `json:"next,omitempty"` // in the turn after
}

type lessonKind int

const (
	kindUse lessonKind = iota
	kindTurn
	kindTerm
	kindWith
	kindNext
)

// A tally counts conversations, each once as long as it is among the last that
// were counted.
type tally struct {
	N    float64  // as of Day
	Day  int      // since 1970
	Last []uint32 // hashes of the last conversations, latest last
}

const (
	maxVoices     = 8
	halfLifeDays  = 30
	maxLessons    = 20_000 // tallies in all
	maxToolKeys   = 200    // of one kind for one tool
	maxLearnBytes = 3 << 20
)

func newLessons() *lessons { return &lessons{Format: lessonsFormat, Tools: make(map[string]*taught)} }

func termHash(term string) uint32 { return uint32(hash('t', term)) }

func termKey(h uint32) string { return strconv.FormatUint(uint64(h), 36) }

func readTermKey(s string) (uint32, bool) {
	h, err := strconv.ParseUint(s, 36, 32)
	return uint32(h), err == nil
}

// faded returns the count as it is on a day.
func (t tally) faded(day int) float64 {
	if day <= t.Day {
		return t.N
	}
	return t.N * math.Exp2(-float64(day-t.Day)/halfLifeDays)
}

// plus returns the sum of two tallies; conversations in both count once.
func (t tally) plus(u tally) tally {
	day := max(t.Day, u.Day)
	sum := tally{N: t.faded(day) + u.faded(day), Day: day, Last: slices.Clone(t.Last)}
	for _, v := range u.Last {
		if slices.Contains(t.Last, v) {
			sum.N = max(sum.N-1, t.faded(day))
			continue
		}
		sum.Last = append(sum.Last, v)
	}
	if n := len(sum.Last) - maxVoices; n > 0 {
		sum.Last = slices.Delete(sum.Last, 0, n)
	}
	sum.N = math.Round(sum.N*1e4) / 1e4 // short, and the same on every machine
	return sum
}

// add counts a conversation. It returns false if it was counted already.
func (l *lessons) add(tool string, kind lessonKind, key string, voice uint32, day int) bool {
	t := l.Tools[tool]
	if t == nil {
		t = new(taught)
		l.Tools[tool] = t
	}
	one := tally{N: 1, Day: day, Last: []uint32{voice}}
	single := func(old *tally) bool {
		if slices.Contains(old.Last, voice) {
			return false
		}
		*old = old.plus(one)
		return true
	}
	many := func(m *map[string]tally) bool {
		if *m == nil {
			*m = make(map[string]tally)
		}
		old, known := (*m)[key]
		if !single(&old) {
			return false
		}
		if !known && len(*m) >= maxToolKeys {
			forgetOne(*m, day)
		}
		(*m)[key] = old
		return true
	}
	switch kind {
	case kindUse:
		return single(&t.Uses)
	case kindTurn:
		return single(&t.Turns)
	case kindTerm:
		return many(&t.Terms)
	case kindWith:
		return many(&t.With)
	default:
		return many(&t.Next)
	}
}

// forgetOne deletes the key that has taught least.
func forgetOne(m map[string]tally, day int) {
	var least string
	weight := math.Inf(1)
	for key, t := range m {
		if w := t.faded(day); w < weight || w == weight && key < least {
			least, weight = key, w
		}
	}
	delete(m, least)
}

// maps are the tallies of a tool that have a key.
func (t *taught) maps() [3]*map[string]tally {
	return [3]*map[string]tally{&t.Terms, &t.With, &t.Next}
}

func (t *taught) size() int { return 1 + len(t.Terms) + len(t.With) + len(t.Next) }

func (l *lessons) size() int {
	n := 0
	for _, t := range l.Tools {
		n += t.size()
	}
	return n
}

// merge adds the tallies of m to those of l.
func (l *lessons) merge(m *lessons) {
	for id, from := range m.Tools {
		to := l.Tools[id]
		if to == nil {
			to = new(taught)
			l.Tools[id] = to
		}
		to.Uses, to.Turns = to.Uses.plus(from.Uses), to.Turns.plus(from.Turns)
		src := from.maps()
		for i, dst := range to.maps() {
			for key, u := range *src[i] {
				if *dst == nil {
					*dst = make(map[string]tally)
				}
				(*dst)[key] = (*dst)[key].plus(u)
			}
		}
	}
}

func (l *lessons) clone() *lessons {
	c := newLessons()
	c.merge(l)
	return c
}

// trim keeps l within its bounds, and forgets what has faded. It reports whether
// anything went.
func (l *lessons) trim() bool {
	if l.size() <= maxLessons {
		return false
	}
	type entry struct {
		weight    float64
		tool, key string
		kind      int
	}
	day := 0
	for _, t := range l.Tools {
		day = max(day, t.Uses.Day, t.Turns.Day)
	}
	var all []entry
	for id, t := range l.Tools {
		all = append(all, entry{t.Uses.faded(day), id, "", -1})
		for kind, m := range t.maps() {
			for key, u := range *m {
				all = append(all, entry{u.faded(day), id, key, kind})
			}
		}
	}
	// With room for a while, so that not every lesson costs a sort.
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.kind, b.kind), cmp.Compare(a.tool, b.tool), cmp.Compare(a.key, b.key))
	})
	for _, e := range all[maxLessons*9/10:] {
		t := l.Tools[e.tool]
		switch {
		case t == nil:
		case e.kind < 0:
			delete(l.Tools, e.tool)
		default:
			delete(*t.maps()[e.kind], e.key)
		}
	}
	return true
}

func (l *lessons) encode() ([]byte, error) {
	data, err := json.Marshal(l)
	if err == nil && len(data) > maxLearnBytes {
		err = fmt.Errorf("what was learned has %d bytes, at most %d are saved", len(data), maxLearnBytes)
	}
	return data, err
}

// decodeLessons reads what encode has written. It returns nil for nothing and for
// what is damaged: lessons can be learned again.
func decodeLessons(data []byte) (*lessons, error) {
	if len(data) == 0 || len(data) > maxLearnBytes {
		return nil, nil
	}
	var head struct {
		Format int `json:"format"`
	}
	if json.Unmarshal(data, &head) == nil && head.Format > lessonsFormat {
		return nil, fmt.Errorf("%w %d", ErrLearnedFormat, head.Format)
	}
	l := newLessons()
	if json.Unmarshal(data, l) != nil || l.Format != lessonsFormat || l.Tools == nil {
		return nil, nil
	}
	for id, t := range l.Tools {
		if t == nil || id == "" || len(id) > maxToolID {
			delete(l.Tools, id)
		}
	}
	l.trim()
	return l, nil
}

// A tally is written as [N, Day, Last…].
func (t tally) MarshalJSON() ([]byte, error) {
	b := strconv.AppendFloat([]byte{'['}, t.N, 'f', -1, 64)
	b = strconv.AppendInt(append(b, ','), int64(t.Day), 10)
	for _, v := range t.Last {
		b = strconv.AppendUint(append(b, ','), uint64(v), 10)
	}
	return append(b, ']'), nil
}

var errTally = errors.New("not a tally")

func (t *tally) UnmarshalJSON(data []byte) error {
	var list []float64
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) < 2 || len(list) > 2+maxVoices {
		return errTally
	}
	for i, v := range list {
		if !(v >= 0 && v <= math.MaxUint32) || i > 0 && v != math.Trunc(v) {
			return errTally
		}
	}
	*t = tally{N: list[0], Day: int(list[1])}
	for _, v := range list[2:] {
		t.Last = append(t.Last, uint32(v))
	}
	return nil
}

// IsZero lets JSON leave it out.
func (t tally) IsZero() bool { return t.N == 0 && len(t.Last) == 0 }

// hash is FNV-1a with a final mix (of MurmurHash3), the same on every machine and in
// every version.
func hash(kind byte, s string) uint64 {
	h := (uint64(14695981039346656037) ^ uint64(kind)) * 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
