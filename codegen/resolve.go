package codegen

import (
	"net/url"
	"strconv"
	"strings"
)

// A document is a decoded schema and the places in it that references can name.
// Nothing outside of it is ever looked up, let alone fetched.
type document struct {
	root *value
	// anchors and ids are filled on the first reference that needs them.
	anchors map[string]target
	ids     map[string]target
	base    *url.URL
}

// A target is a place in a document.
type target struct {
	val  *value
	path string // JSON pointer
}

// resolve finds what a $ref points to within the document: a JSON pointer to
// any place, an anchor, or either behind the $id of the document or of one of
// its parts.
func (d *document) resolve(reference string) (target, bool) {
	before, fragment, _ := strings.Cut(reference, "#")
	from := target{val: d.root}
	if before != "" {
		d.scan()
		id, err := d.absolute(before)
		if err != nil {
			return target{}, false
		}
		if id != d.absoluteBase() {
			part, ok := d.ids[id]
			if !ok {
				return target{}, false
			}
			from = part
		}
	}
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	if fragment == "" {
		return from, true
	}
	if fragment[0] != '/' {
		d.scan()
		t, ok := d.anchors[fragment]
		return t, ok
	}
	return follow(from, fragment)
}

// follow goes along a JSON pointer.
func follow(from target, pointer string) (target, bool) {
	at := from.val
	for _, segment := range strings.Split(pointer[1:], "/") {
		segment = unescapePointer(segment)
		switch {
		case at.is(objectValue):
			at = at.get(segment)
		case at.is(arrayValue):
			i, err := strconv.Atoi(segment)
			if err != nil || i < 0 || i >= len(at.items) {
				return target{}, false
			}
			at = at.items[i]
		default:
			return target{}, false
		}
		if at == nil {
			return target{}, false
		}
	}
	return target{at, from.path + pointer}, true
}

// scan records the anchors and the ids of the document.
func (d *document) scan() {
	if d.anchors != nil {
		return
	}
	d.anchors, d.ids = make(map[string]target), make(map[string]target)
	d.base, _ = url.Parse(d.root.get("$id").str())
	d.scanSchema(target{val: d.root})
}

// Keywords whose value is data, in which an id is none, and those whose value
// holds schemas by names, of which none is a keyword.
var (
	dataKeywords = wordSet("enum const default examples")
	nameKeywords = wordSet("properties patternProperties $defs definitions dependentSchemas dependencies")
)

func (d *document) scanSchema(t target) {
	for _, key := range []string{"$anchor", "$dynamicAnchor"} {
		if name := t.val.get(key).str(); name != "" {
			if _, taken := d.anchors[name]; !taken {
				d.anchors[name] = t
			}
		}
	}
	for _, key := range []string{"$id", "id"} {
		name := t.val.get(key).str()
		if anchor, ok := strings.CutPrefix(name, "#"); ok && anchor != "" { // draft-06 and draft-07
			if _, taken := d.anchors[anchor]; !taken {
				d.anchors[anchor] = t
			}
		} else if id, err := d.absolute(name); err == nil && name != "" {
			if _, taken := d.ids[id]; !taken {
				d.ids[id] = t
			}
		}
	}
	for _, m := range t.val.object() {
		at := target{m.val, t.path + "/" + escapePointer(m.key)}
		switch {
		case dataKeywords[m.key]:
		case nameKeywords[m.key] && m.val.is(objectValue):
			for _, named := range m.val.members {
				d.scanSchema(target{named.val, at.path + "/" + escapePointer(named.key)})
			}
		default:
			d.scanSchema(at)
		}
	}
	for i, item := range t.val.list() {
		d.scanSchema(target{item, t.path + "/" + strconv.Itoa(i)})
	}
}

// absolute resolves an id or a reference against the $id of the document.
func (d *document) absolute(reference string) (string, error) {
	u, err := url.Parse(reference)
	if err != nil {
		return "", err
	}
	if d.base != nil {
		u = d.base.ResolveReference(u)
	}
	u.Fragment = ""
	return u.String(), nil
}

func (d *document) absoluteBase() string {
	if d.base == nil {
		return ""
	}
	base := *d.base
	base.Fragment = ""
	return base.String()
}

var (
	pointerEscapes   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescapes = strings.NewReplacer("~1", "/", "~0", "~")
)

func escapePointer(segment string) string   { return pointerEscapes.Replace(segment) }
func unescapePointer(segment string) string { return pointerUnescapes.Replace(segment) }
