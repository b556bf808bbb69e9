package codegen

import (
	"slices"
	"strings"
)

// Caps on the prose of a server, in runes.
const (
	maxToolText     = 2000
	maxPropertyText = 300
	maxTagText      = 120
)

// A doc is what a comment says: cleaned prose and tags, not yet escaped.
type doc struct {
	text string
	tags []string
}

func (d doc) empty() bool { return d.text == "" && len(d.tags) == 0 }

// Keywords whose value becomes a tag of the same name, in the order in which
// the tags stand.
var tagKeywords = []string{
	"default", "format", "pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf",
	"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
	"contentEncoding", "contentMediaType",
}

// Keywords that no type expresses; their JSON is shown as it is.
var noteKeywords = []string{"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "propertyNames", "contains"}

// describe gathers what the comment of a schema says: its description, or the
// one of what it refers to, and the keywords that its type cannot express.
func (c *converter) describe(v *value, limit int) doc {
	var d doc
	own := v
	for hops := 0; hops < 8; hops++ { // a chain of references, not a cycle
		if d.text = cleanText(v.get("description").str(), limit); d.text != "" {
			break
		}
		to, ok := target{}, false
		if reference := v.get("$ref"); reference.is(stringValue) {
			to, ok = c.doc.resolve(reference.text)
		} else if all := v.get("allOf").list(); len(all) == 1 { // how pydantic refers
			to, ok = target{val: all[0]}, true
		}
		if !ok {
			break
		}
		v = to.val
	}
	v = own
	if each := cleanText(v.get("items").get("description").str(), limit); each != "" && d.text != each {
		d.text = strings.TrimPrefix(d.text+"\nEach item: "+each, "\n")
	}
	d.tags = tagsOf(v)
	for _, branch := range v.get("allOf").list() {
		if _, ok := constraintOnly(branch, true); ok || len(v.get("allOf").list()) == 1 {
			d.tags = append(d.tags, tagsOf(branch)...)
		}
	}
	// A schema that is T or null carries the keywords of T in the branch.
	for _, key := range []string{"anyOf", "oneOf"} {
		branches := slices.DeleteFunc(slices.Clone(v.get(key).list()), func(b *value) bool {
			return b.get("type").str() == "null" || b.get("not") != nil || !b.is(objectValue)
		})
		if len(branches) == 1 {
			for _, tag := range tagsOf(branches[0]) {
				if !slices.Contains(d.tags, tag) {
					d.tags = append(d.tags, tag)
				}
			}
			if d.text == "" {
				d.text = cleanText(branches[0].get("description").str(), limit)
			}
		}
		d.tags = append(d.tags, alternativeTags(v, key)...)
	}
	return d
}

func tagsOf(v *value) []string {
	var tags []string
	types := []string{v.get("type").str()}
	if list := v.get("type"); list.is(arrayValue) {
		types = stringsOf(list)
	}
	if slices.Contains(types, "integer") {
		tags = append(tags, "@integer")
	}
	for _, key := range tagKeywords {
		val := v.get(key)
		if val == nil {
			continue
		}
		text := ""
		switch {
		case val.is(stringValue) && key != "default":
			text = cleanText(val.text, maxTagText)
		case key == "default" && val.is(nullValue):
			// Most often from Python, where it means that there is no default.
		case key == "default" || val.is(numberValue) || val.is(boolValue):
			text = noteText(val)
		}
		if text != "" {
			tags = append(tags, "@"+key+" "+oneLine(text))
		}
	}
	for _, key := range []string{"uniqueItems", "deprecated", "readOnly", "writeOnly"} {
		if v.get(key).isBool(true) {
			tags = append(tags, "@"+key)
		}
	}
	if examples := v.get("examples").list(); len(examples) > 0 {
		tags = append(tags, "@example "+noteText(examples[0]))
	}
	for _, key := range noteKeywords {
		if val := v.get(key); val != nil && !val.is(nullValue) && !neverNot(v) {
			tags = append(tags, "@constraint "+oneLine(key+" "+noteText(val)))
		}
	}
	return tags
}

// alternativeTags says in words what the alternatives of an object ask for
// where the type does not: that exactly one may match, or which properties go
// together although the schema does not list them.
func alternativeTags(v *value, key string) []string {
	branches := v.get(key).list()
	var choices []string
	objects := 0
	for _, branch := range branches {
		if branch.get("properties") != nil || branch.get("type").str() == "object" {
			objects++
		}
		keys, ok := constraintOnly(branch, true)
		if !ok || len(keys) == 0 {
			continue
		}
		choices = append(choices, strings.Join(keys, " and "))
	}
	switch {
	case len(choices) > 0:
		amount := "at least one of: "
		if key == "oneOf" {
			amount = "exactly one of: "
		}
		return []string{"@constraint " + oneLine(cleanText(amount+strings.Join(choices, "; "), maxTagText))}
	case key == "oneOf" && objects > 1:
		return []string{"@constraint exactly one alternative matches"}
	}
	return nil
}

// noteText is the JSON of v on one line, cut to the length of a tag.
func noteText(v *value) string {
	return oneLine(cleanText(string(v.appendJSON(nil, 4*maxTagText)), maxTagText))
}
