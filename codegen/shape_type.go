package codegen

import (
	"fmt"
	"strconv"
)

// Bounds of an observed type in text. It is a hint, not a contract: a model
// reads its upper levels with profit, and a page of it without.
const (
	maxObservedText   = 2000
	maxObservedFields = 40
)

// observed sets the result type to the shape that was seen. The function's type
// is `Promise<QueryObserved | any>`: to a reader the shape, to the compiler any.
//
// No weaker type would do. A right program may have to deal with a shape that
// was not seen yet, `typeof r.data === "string" ? r.data.trim() : …` where data
// was an object so far; TypeScript narrows what was seen to never there and
// rejects the program, whatever index signatures the objects have. What a
// server did not promise must not stop a program. One that wants the check asks
// for it: `const r: demo.QueryObserved = …`.
func (g *generator) observed(s *Shape, limit int) (side, bool) {
	limit = min(limit, maxObservedText)
	for depth := maxShapeDepth; depth >= 0; depth-- {
		body := s.root.node(depth)
		if _, open := body.(top); open {
			return side{}, false
		}
		a := &alias{id: 1, hint: "Observed", body: body}
		if obj, ok := body.(object); ok && depth <= 1 && len(obj.props) > maxObservedFields {
			a.doc.text = fmt.Sprintf("And %d more properties.", len(obj.props)-maxObservedFields)
			obj.props = obj.props[:maxObservedFields]
			a.body = obj
		}
		l := &linker{prefix: g.prefix, names: g.names, report: func(string) {}}
		if out := g.write(l.link(a), "any", true); len(out.types) <= limit {
			out.text += " | any"
			out.returns = "Observed from " + countText(s.calls) + ", not promised by the server."
			return out, true
		}
	}
	return side{}, false
}

// countText is a number of calls. From ten on it is rounded, so that a module
// does not change with every call: its text is part of prompts and of what a
// type check compares.
func countText(n int) string {
	switch {
	case n == 1:
		return "1 successful call"
	case n < 10:
		return strconv.Itoa(n) + " successful calls"
	}
	tens := 10
	for tens <= n/10 {
		tens *= 10
	}
	return strconv.Itoa(tens) + "+ successful calls"
}

// node returns the type of f, with arrays and objects below depth left out.
func (f *form) node(depth int) node {
	if f == nil || f.top || *f == (form{prims: sawNull}) {
		return top{} // null alone says nothing about the values to come
	}
	var members []node
	for _, p := range primKinds {
		if f.prims&p.set != 0 && p.set != sawNull {
			members = append(members, p.kind)
		}
	}
	if depth == 0 && (f.items != nil || f.object != nil) {
		return top{}
	}
	if f.items != nil {
		members = append(members, array{f.items.node(depth - 1)})
	}
	if f.object != nil {
		members = append(members, f.object.node(depth))
	}
	if f.prims&sawNull != 0 {
		members = append(members, nullType)
	}
	if len(members) == 0 {
		return top{}
	}
	return union(members...)
}

func (o *objects) node(depth int) node {
	if o.values != nil {
		return object{index: o.values.node(depth - 1)}
	}
	if len(o.fields) == 0 {
		return anyObject()
	}
	out := object{index: top{}}
	for _, always := range []bool{true, false} {
		for _, f := range o.fields {
			if f.always == always {
				out.props = append(out.props, property{name: f.name, typ: f.form.node(depth - 1), optional: !always})
			}
		}
	}
	return out
}
