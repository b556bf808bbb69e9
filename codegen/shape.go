package codegen

import (
	"cmp"
	"slices"
)

// Bounds of a [Shape]. They keep it small enough to store with every tool and
// to show to a model; what is beyond them is of any type.
const (
	maxShapeDepth = 8
	maxShapeForms = 400
	// maxFields is the number of names above which an object is a map. Records
	// of real services have up to a hundred.
	maxFields = 128
	// maxNested is the number of objects and arrays in an object above which
	// it is a map: {"alice": {…}, "bob": {…}, …}.
	maxNested = 16
	// maxVarying is the number of optional names above which an object is a
	// map, unless a good part of its names is always there.
	maxVarying = 16
	maxCalls   = 1_000_000_000
)

// A Shape is the structure of JSON values that a tool was seen to return: which
// kinds of value, which properties, which of these every time. It holds no
// value, and no property name that looks like data instead of like a name: an
// object with such names, or with names that vary, is a map from any name.
//
// Make one with [Observe], add further values with [Shape.Merge], keep it as
// JSON, and give it to [Server.SetObserved]. A Shape does not change and is safe
// for concurrent use; nil is the shape of no value at all.
//
// # Order
//
// The shape of several values does not depend on the order in which they were
// seen or merged, to the byte. Each rule that widens a shape keeps to that: once
// it applies to some of the values it applies to all of them. The one exception
// is the bound on the whole size, which few tools but hostile ones reach: a
// shape that exceeds it loses its deepest level, also if a later value would
// have turned that level into a map.
type Shape struct {
	calls int
	depth int // arrays and objects from this depth on are of any type
	root  *form
}

// A form is the shape of the values at one place. Forms are immutable.
type form struct {
	top    bool     // any value; nothing else is set
	prims  primSet  // the kinds of single values that were seen
	items  *form    // of all elements of the arrays; nil if none was seen
	object *objects // nil if none was seen
}

type primSet uint8

const (
	sawString primSet = 1 << iota
	sawNumber
	sawBoolean
	sawNull
)

var primKinds = []struct {
	set  primSet
	kind prim
}{{sawString, stringType}, {sawNumber, numberType}, {sawBoolean, booleanType}, {sawNull, nullType}}

// objects is the shape of the objects at one place: their fields by name, or
// one form for the values of a map.
type objects struct {
	fields []field // sorted by name
	values *form   // nil if the names are known
}

type field struct {
	name   string
	form   *form
	always bool // in every object
}

// Calls returns the number of values that s was made from.
func (s *Shape) Calls() int {
	if s == nil {
		return 0
	}
	return s.calls
}

// Merge returns the shape of the values of both. Either may be nil.
func (s *Shape) Merge(other *Shape) *Shape {
	switch {
	case s == nil:
		return other
	case other == nil:
		return s
	}
	return newShape(min(s.calls+other.calls, maxCalls), min(s.depth, other.depth), join(s.root, other.root))
}

// newShape bounds the size of a shape by taking levels off it.
func newShape(calls, depth int, root *form) *Shape {
	root = root.cut(depth)
	for root.size() > maxShapeForms && depth > 0 {
		depth--
		root = root.cut(depth)
	}
	return &Shape{calls, depth, root}
}

// join returns the form of what has one of the two forms.
func join(a, b *form) *form {
	switch {
	case a == nil || a == b:
		return b
	case b == nil:
		return a
	case a.top || b.top:
		return &form{top: true}
	}
	return &form{prims: a.prims | b.prims, items: join(a.items, b.items), object: joinObjects(a.object, b.object)}
}

func joinObjects(a, b *objects) *objects {
	switch {
	case a == nil || a == b:
		return b
	case b == nil:
		return a
	case a.values != nil || b.values != nil:
		return &objects{values: join(a.anyValue(), b.anyValue())}
	}
	fields := make([]field, 0, max(len(a.fields), len(b.fields)))
	for i, j := 0, 0; i < len(a.fields) || j < len(b.fields); {
		order := 0
		switch {
		case i == len(a.fields):
			order = 1
		case j == len(b.fields):
			order = -1
		default:
			order = cmp.Compare(a.fields[i].name, b.fields[j].name)
		}
		switch order {
		case -1:
			fields = append(fields, field{a.fields[i].name, a.fields[i].form, false})
			i++
		case 1:
			fields = append(fields, field{b.fields[j].name, b.fields[j].form, false})
			j++
		default:
			f, g := a.fields[i], b.fields[j]
			fields = append(fields, field{f.name, join(f.form, g.form), f.always && g.always})
			i++
			j++
		}
	}
	return (&objects{fields: fields}).asMap()
}

// anyValue is the form of all the values of the objects.
func (o *objects) anyValue() *form {
	if o.values != nil {
		return o.values
	}
	all := &form{}
	for _, f := range o.fields {
		all = join(all, f.form)
	}
	return all
}

// asMap turns objects with too many names into a map. Merging can only make
// names more and optional, and forms wider, so that what is a map once is one
// in every order of merging.
func (o *objects) asMap() *objects {
	optional, nested := 0, 0
	for _, f := range o.fields {
		if !f.always {
			optional++
		}
		if f.form.top || f.form.items != nil || f.form.object != nil {
			nested++
		}
	}
	always := len(o.fields) - optional
	if len(o.fields) > maxFields || nested > maxNested || optional > maxVarying && optional > 3*always {
		return &objects{values: o.anyValue()}
	}
	return o
}

// cut returns f with the arrays and objects below depth taken as any value.
func (f *form) cut(depth int) *form {
	if f == nil || f.top || f.items == nil && f.object == nil {
		return f
	}
	if depth <= 0 {
		return &form{top: true}
	}
	out := &form{prims: f.prims, items: f.items.cut(depth - 1)}
	if f.object != nil {
		out.object = &objects{values: f.object.values.cut(depth - 1), fields: slices.Clone(f.object.fields)}
		for i := range out.object.fields {
			out.object.fields[i].form = out.object.fields[i].form.cut(depth - 1)
		}
	}
	return out
}

// size is the number of forms in f.
func (f *form) size() int {
	if f == nil {
		return 0
	}
	n := 1 + f.items.size()
	if f.object != nil {
		n += f.object.values.size()
		for _, field := range f.object.fields {
			n += field.form.size()
		}
	}
	return n
}
