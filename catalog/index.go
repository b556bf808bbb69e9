package catalog

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// The fields of a tool, in the order of [fieldWeight].
const (
	fieldName = iota
	fieldTitle
	fieldDescription
	fieldServer
	fieldParam
	fieldParamText
	numFields
)

// posting says how often a term occurs in each field of a document.
type posting struct {
	doc int32 // index in the segment
	tf  [numFields]uint8
}

// termUse is what a segment has of a term.
type termUse struct {
	start, end int32  // a run of its postings
	server     uint16 // how often it is in the server document
}

// doc is one tool in a segment.
type doc struct {
	tool    Tool
	id      string
	nameKey uint64            // see nameKey; of the name
	idKey   uint64            // the same of server and name
	hash    uint64            // of the text that is embedded
	vec     []float32         // nil if there is none; shared with chromem-go
	length  [numFields]uint16 // words per field
}

// segment is one server's part of the index. It is immutable once published,
// and everything in it is in canonical order, which is what makes rankings
// reproducible.
type segment struct {
	name        string
	title       string
	docs        []doc // sorted by tool name
	terms       map[string]termUse
	postings    []posting
	serverLen   int              // terms of the server document
	fieldTotals [numFields]int64 // sum of doc.length
	sketches    []sketch         // of the vectors, if there are any
	embedded    int              // docs with a vector
	dims        int              // of the vectors, if any
}

// snapshot is the whole index at one moment; immutable.
type snapshot struct {
	segments []*segment // sorted by name
	base     []int      // number of the first document of each segment, and the total
	dims     int        // of all vectors; 0 while there are none
	lookup
	totals
}

// totals are sums over a snapshot.
type totals struct {
	fields      [numFields]int64 // words per field
	serverWords int64            // words of server documents
	embedded    int              // documents with a vector
}

func (t *totals) add(g *segment, sign int64) {
	if g == nil {
		return
	}
	for f, n := range g.fieldTotals {
		t.fields[f] += sign * n
	}
	t.serverWords += sign * int64(g.serverLen)
	t.embedded += int(sign) * g.embedded
}

// len returns the number of documents.
func (s *snapshot) len() int { return s.base[len(s.segments)] }

// average returns the mean length of a field, at least 1.
func (s *snapshot) average(field int) float64 {
	return max(float64(s.fields[field])/float64(max(s.len(), 1)), 1)
}

// serverAverage returns the mean length of a server document, at least 1.
func (s *snapshot) serverAverage() float64 {
	return max(float64(s.serverWords)/float64(max(len(s.segments), 1)), 1)
}

// with returns a snapshot in which g has the place of the segment of that name;
// a nil g removes it. It costs a copy of two slices, not a look at every segment,
// so that a host can add thousands of servers one by one.
func (s *snapshot) with(name string, g *segment) *snapshot {
	i, found := s.index(name)
	next := &snapshot{totals: s.totals}
	next.segments = append(make([]*segment, 0, len(s.segments)+1), s.segments[:i]...)
	next.base = append(make([]int, 0, len(s.base)+1), s.base[:i]...)
	if !found && g == nil {
		return s
	}
	after, shift := i, 0
	if g != nil {
		next.segments = append(next.segments, g)
		next.base = append(next.base, s.base[i])
		next.totals.add(g, 1)
		shift += len(g.docs)
	}
	if found {
		next.totals.add(s.segments[i], -1)
		shift -= len(s.segments[i].docs)
		after++
	}
	switch {
	case next.embedded == 0:
	case s.dims != 0:
		next.dims = s.dims
	case g != nil:
		next.dims = g.dims
	}
	next.segments = append(next.segments, s.segments[after:]...)
	for _, b := range s.base[after:] {
		next.base = append(next.base, b+shift)
	}
	next.lookup = s.changed(next.segments, i, found && g != nil, g == nil)
	return next
}

// index returns the index of a server's segment, or where it belongs.
func (s *snapshot) index(server string) (int, bool) {
	return slices.BinarySearchFunc(s.segments, server, func(g *segment, n string) int {
		return strings.Compare(g.name, n)
	})
}

// segment returns the segment of that server, or nil.
func (s *snapshot) segment(server string) *segment {
	if i, ok := s.index(server); ok {
		return s.segments[i]
	}
	return nil
}

// at returns the document with that number and its segment's index.
func (s *snapshot) at(n int) (*doc, int) {
	// The last segment that starts at or before n; empty ones start where the
	// next one does.
	i, _ := slices.BinarySearch(s.base, n+1)
	i--
	return &s.segments[i].docs[n-s.base[i]], i
}

// find returns the index of the tool with that name, or -1.
func (g *segment) find(name string) int {
	i, found := slices.BinarySearchFunc(g.docs, name, func(d doc, n string) int {
		return strings.Compare(d.tool.Name, n)
	})
	if !found {
		return -1
	}
	return i
}

// maxTitleRunes is how much of a server's title counts.
const maxTitleRunes = 200

// newSegment reads a server into a segment without vectors. It also returns the
// text to embed for each document.
func newSegment(s Server) (*segment, []string) {
	s.Title = clip(s.Title, maxTitleRunes) // it is read once for each tool
	g := &segment{name: s.Name, title: s.Title}
	seen := make(map[string]bool, len(s.Tools))
	g.docs = make([]doc, 0, len(s.Tools))
	for _, t := range s.Tools {
		if t.Name == "" || seen[t.Name] {
			continue
		}
		seen[t.Name] = true
		t.Server = s.Name
		g.docs = append(g.docs, doc{tool: t, id: t.ID()})
	}
	slices.SortFunc(g.docs, func(a, b doc) int { return cmp.Compare(a.tool.Name, b.tool.Name) })

	b := segmentBuilder{segment: g, ids: make(map[string]int32), stems: make(map[string]string)}
	texts := make([]string, len(g.docs))
	for i := range g.docs {
		texts[i] = b.addTool(i, &s)
	}
	b.finish()
	b.addServer(&s)
	return g, texts
}

// segmentBuilder turns texts into postings.
type segmentBuilder struct {
	*segment
	ids   map[string]int32 // term → number
	lists [][]posting      // by term number
	stems map[string]string
}

func (b *segmentBuilder) addTool(i int, s *Server) (text string) {
	d := &b.docs[i]
	schema := readSchema(d.tool.InputSchema)
	b.addWords(i, fieldName, d.tool.Name, true)
	b.add(i, fieldTitle, d.tool.Title)
	b.add(i, fieldDescription, d.tool.Description)
	b.add(i, fieldServer, s.Name)
	if !strings.EqualFold(s.Name, s.Title) {
		b.add(i, fieldServer, s.Title)
	}
	for _, n := range schema.names {
		b.add(i, fieldParam, n)
	}
	for _, p := range schema.prose {
		b.add(i, fieldParamText, p)
	}
	for f, n := range d.length {
		b.fieldTotals[f] += int64(n)
	}
	d.nameKey, _ = nameKey(d.tool.Name)
	d.idKey, _ = nameKey(d.id)
	text = embeddingText(s, &d.tool, schema.names)
	d.hash = maphash.String(hashSeed, text)
	return text
}

// hashSeed makes the hashes of texts unpredictable, so that no server can make
// one text pass for another.
var hashSeed = maphash.MakeSeed()

func (b *segmentBuilder) add(i, field int, text string) {
	if text != "" {
		b.addWords(i, field, text, false)
	}
}

// addWords counts the words of a text. Names keep their stop words: one may
// consist of nothing else ("about", "who_is").
func (b *segmentBuilder) addWords(i, field int, text string, stops bool) {
	tokenize(text, func(w string) {
		if !stops && stopWords[w] {
			return
		}
		st, ok := b.stems[w]
		if !ok {
			st = stem(w)
			b.stems[w] = st
		}
		n, ok := b.ids[st]
		if !ok {
			n = int32(len(b.lists))
			b.ids[st] = n
			b.lists = append(b.lists, nil)
		}
		l := b.lists[n]
		if len(l) == 0 || l[len(l)-1].doc != int32(i) {
			l = append(l, posting{doc: int32(i)})
			b.lists[n] = l
		}
		if p := &l[len(l)-1]; p.tf[field] < math.MaxUint8 {
			p.tf[field]++
		}
		if d := &b.docs[i]; d.length[field] < math.MaxUint16 {
			d.length[field]++
		}
	})
}

// finish lays the postings out in one slice.
func (b *segmentBuilder) finish() {
	total := 0
	for _, l := range b.lists {
		total += len(l)
	}
	b.postings = make([]posting, 0, total)
	b.terms = make(map[string]termUse, len(b.ids))
	for term, n := range b.ids {
		start := int32(len(b.postings))
		b.postings = append(b.postings, b.lists[n]...)
		b.terms[term] = termUse{start: start, end: int32(len(b.postings))}
	}
}

// addServer makes the server document.
func (b *segmentBuilder) addServer(s *Server) {
	add := func(text string) {
		for _, t := range terms(text) {
			if u := b.terms[t]; u.server < math.MaxUint16 {
				u.server++
				b.terms[t] = u
			}
			b.serverLen++
		}
	}
	add(s.Name)
	add(s.Title)
	add(s.Description)
	for i := range b.docs {
		add(b.docs[i].tool.Name)
	}
}

// nameKey is equal for names that differ in separators, capitals, word forms or
// word order only: "createIssue", "issues-create". It also returns the number of
// words.
func nameKey(name string) (key uint64, n int) {
	var words []string
	tokenizeParts(name, func(w string) { words = append(words, stem(w)) })
	slices.Sort(words)
	return maphash.String(hashSeed, strings.Join(words, " ")), len(words)
}
