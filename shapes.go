package conductor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
)

// maxShapes bounds the shapes that are remembered of one server, and maxShapeBytes
// their record.
const (
	maxShapes     = 2000
	maxShapeBytes = conversation.MaxData / 2
)

// A shapeOf names what a shape is of: a tool whose schema has changed is another one.
type shapeOf struct{ tool, hash string }

func compareShapeOf(a, b shapeOf) int {
	return cmp.Or(cmp.Compare(a.tool, b.tool), cmp.Compare(a.hash, b.hash))
}

// observed is what results of a server's tools were seen to look like, if they have no
// output schema. [Conductor.mu] guards it.
type observed struct {
	// known is everything, unsaved what of it the store has not got. Both are needed:
	// adding the same observations twice would count them twice.
	known, unsaved map[shapeOf]*codegen.Shape

	// version is that of the record that was last read. It belongs to whoever exchanges.
	version int64
}

// observe learns what the results of a tool look like that declares no output: the
// structure, and never a value. The next time that the tool is loaded, or a program
// is checked, its declaration shows it.
func (c *Conductor) observe(server *codegen.Server, t *codegen.Tool, value json.RawMessage) {
	if len(t.OutputSchema) > 0 {
		return
	}
	seen := codegen.Observe(value)
	if seen == nil {
		return
	}
	of := shapeOf{t.Name, server.SchemaHash(t.Name)}
	if of.hash == "" {
		return // the server has been removed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.observedOf(t.Server)
	known, ok := o.known[of]
	if !ok && len(o.known) >= maxShapes {
		return
	}
	o.known[of] = known.Merge(seen)
	if c.sharing != nil {
		o.unsaved[of] = o.unsaved[of].Merge(seen)
		c.sharing.hasLearned()
	}
	c.showObserved(o, t.Server, of)
}

// observedOf returns what is known of a server, which it may be the first to ask for.
// c.mu is held.
func (c *Conductor) observedOf(server string) *observed {
	o := c.observed[server]
	if o == nil {
		o = &observed{known: map[shapeOf]*codegen.Shape{}, unsaved: map[shapeOf]*codegen.Shape{}}
		c.observed[server] = o
	}
	return o
}

// showObserved lets the module of a server show a shape, if it is of the tool as it is
// now. c.mu is held.
func (c *Conductor) showObserved(o *observed, server string, of shapeOf) {
	if module := c.modules[server]; module != nil && module.SchemaHash(of.tool) == of.hash {
		module.SetObserved(of.tool, o.known[of])
	}
}

// exchangeShapes brings the store and this process to the same knowledge of a server's
// results.
func (c *Conductor) exchangeShapes(ctx context.Context, server string) error {
	key := conversation.Key{Kind: kindShapes, ID: server}
	if key.Check() != nil {
		return nil // a name that no record can have
	}
	c.mu.Lock()
	o := c.observedOf(server)
	unsaved := o.unsaved
	o.unsaved = map[shapeOf]*codegen.Shape{}
	c.mu.Unlock()

	var stored map[shapeOf]*codegen.Shape
	err := c.sharing.record(ctx, key, &o.version, len(unsaved) > 0, func(data []byte) (merged []byte, err error) {
		stored, merged, err = mergeShapes(data, unsaved)
		return merged, err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		// What was learned meanwhile comes after.
		for of, shape := range unsaved {
			o.unsaved[of] = shape.Merge(o.unsaved[of])
		}
		if errors.Is(err, errSame) {
			return nil
		}
		return err
	}
	for of, shape := range stored {
		if _, ok := o.known[of]; ok || len(o.known) < maxShapes {
			o.known[of] = shape.Merge(o.unsaved[of])
			c.showObserved(o, server, of)
		}
	}
	return nil
}

// shapesFormat is what mergeShapes reads and writes.
const shapesFormat = 1

type shapesJSON struct {
	Format int         `json:"format"`
	Shapes []shapeJSON `json:"shapes"` // by tool and hash
}

type shapeJSON struct {
	Tool  string          `json:"tool"`
	Hash  string          `json:"hash"`
	Shape json.RawMessage `json:"shape"`
}

// mergeShapes adds shapes to stored ones. It returns all of them, and as data what is
// to be stored. Shapes of another version are left to those who know it. Of more than
// can be stored, the largest are left out.
func mergeShapes(data []byte, more map[shapeOf]*codegen.Shape) (map[shapeOf]*codegen.Shape, []byte, error) {
	all, foreign := map[shapeOf]*codegen.Shape{}, map[shapeOf]json.RawMessage{}
	if len(data) > 0 {
		var stored shapesJSON
		if err := json.Unmarshal(data, &stored); err != nil {
			return nil, nil, fmt.Errorf("%w: %w; delete it to learn anew", conversation.ErrDamaged, err)
		}
		if stored.Format != shapesFormat {
			return nil, nil, fmt.Errorf("%w %d of learned shapes, this version reads %d", conversation.ErrFormat, stored.Format, shapesFormat)
		}
		for _, s := range stored.Shapes {
			of, shape := shapeOf{s.Tool, s.Hash}, &codegen.Shape{}
			if err := json.Unmarshal(s.Shape, shape); err != nil {
				foreign[of] = s.Shape
			} else {
				all[of] = shape
			}
		}
	}
	for of, shape := range more {
		all[of] = all[of].Merge(shape)
	}
	encoded := foreign
	size := 0
	for of, shape := range all {
		if foreign[of] != nil {
			continue
		}
		text, err := json.Marshal(shape)
		if err != nil {
			return nil, nil, err
		}
		encoded[of] = text
	}
	var merged shapesJSON
	merged.Format = shapesFormat
	for _, of := range slices.SortedFunc(maps.Keys(encoded), compareShapeOf) {
		merged.Shapes = append(merged.Shapes, shapeJSON{of.tool, of.hash, encoded[of]})
		size += merged.Shapes[len(merged.Shapes)-1].size()
	}
	for size > maxShapeBytes || len(merged.Shapes) > maxShapes {
		i := largest(merged.Shapes)
		size -= merged.Shapes[i].size()
		merged.Shapes = slices.Delete(merged.Shapes, i, i+1)
	}
	result, err := json.Marshal(merged)
	return all, result, err
}

// size is at least what the shape takes in the record.
func (s shapeJSON) size() int { return len(s.Shape) + 6*(len(s.Tool)+len(s.Hash)) + 40 }

func largest(shapes []shapeJSON) int {
	i := 0
	for j := range shapes {
		if shapes[j].size() > shapes[i].size() {
			i = j
		}
	}
	return i
}
