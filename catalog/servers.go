package catalog

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SetServer adds a server, or replaces what the catalog knows about it. Other
// servers are not touched, and tools whose text did not change are not embedded
// again.
//
// The tools are searchable by words as soon as they have been read; with an
// embedding function of the host their vectors follow when all have been tried.
// If some could not be embedded, SetServer returns an error that wraps
// [ErrEmbedding] and the reason: everything is in the catalog then, those tools
// are found by words only, and calling SetServer again tries just them. After as
// many failures in a row as [Options.Concurrency] it stops trying.
//
// [ErrServerName] and an error of a ctx that is done at the start mean that
// nothing changed. Of overlapping calls for one server, the last to take effect
// wins as a whole.
func (c *Catalog) SetServer(ctx context.Context, s Server) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	embed, err := c.SetWords(s)
	if err == nil && embed != nil {
		err = embed(ctx)
	}
	return err
}

// SetWords is the first half of [Catalog.SetServer]: the tools are searchable by words
// when it returns, which takes milliseconds whatever becomes of an embedding service.
// If there are tools without vectors, embed is not nil and does the rest; it may be
// called again after an error, to try what is missing, and does nothing once the server
// was set anew or removed.
func (c *Catalog) SetWords(s Server) (embed func(context.Context) error, err error) {
	if s.Name == "" || !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, unicode.IsControl) {
		return nil, fmt.Errorf("%w: %q", ErrServerName, s.Name)
	}
	seg, texts := newSegment(s)
	if c.weight <= 0 {
		return nil, c.publish(seg, nil)
	}
	seg.reuse(c.snapshot().segment(s.Name))
	if c.builtin {
		for i := range seg.docs {
			if seg.docs[i].vec == nil {
				seg.docs[i].vec = builtinVector(texts[i])
			}
		}
		seg.count()
		return nil, c.publish(seg, nil)
	}
	if err := c.publish(seg, nil); err != nil || seg.embedded == len(seg.docs) {
		return nil, err
	}
	return func(ctx context.Context) error {
		if c.snapshot().segment(s.Name) != seg {
			return nil
		}
		full := seg.clone()
		embedErr := c.embedTools(ctx, full.docs, texts, c.snapshot().dims)
		full.count()
		// Another call may have replaced or removed the server meanwhile.
		if err := c.publish(full, seg); err != nil {
			return err
		}
		if embedErr != nil {
			seg = full
			return fmt.Errorf("set server %q: %w", s.Name, embedErr)
		}
		return nil
	}, nil
}

// RemoveServer takes a server and its tools out of the catalog. Removing a
// server that is not there does nothing.
func (c *Catalog) RemoveServer(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.snap.segment(name); old != nil {
		// Deleting from memory has no way to fail; were a vector to stay, it would
		// name no tool and be ignored.
		_ = c.vecs.remove(old)
		c.snap = c.snap.with(name, nil)
	}
}

// publish swaps g in for the segment of the same name. With a non-nil expected
// it does so only if that is the segment to be replaced.
func (c *Catalog) publish(g, expected *segment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.snap.segment(g.name)
	if expected != nil && old != expected {
		return nil
	}
	if c.snap.dims != 0 && g.embedded > 0 && g.dims != c.snap.dims {
		// Two calls that began with an empty catalog got different vectors.
		return fmt.Errorf("set server %q: %w", g.name, errDimensions(g.dims, c.snap.dims))
	}
	if old != nil {
		if err := c.vecs.remove(old); err != nil {
			return err
		}
	}
	c.snap = c.snap.with(g.name, g)
	return c.vecs.add(g)
}

// Tool returns the tool with that id, "server.tool". Server and tool names may
// contain dots themselves; where an id can be read in several ways the shortest
// server name wins.
func (c *Catalog) Tool(id string) (Tool, bool) {
	s := c.snapshot()
	for i := 0; i < len(id); i++ {
		if id[i] != '.' {
			continue
		}
		if g := s.segment(id[:i]); g != nil {
			if j := g.find(id[i+1:]); j >= 0 {
				return g.docs[j].tool, true
			}
		}
	}
	return Tool{}, false
}

// Tools returns all tools, sorted by server and then by name.
func (c *Catalog) Tools() []Tool {
	s := c.snapshot()
	out := make([]Tool, 0, s.len())
	for _, g := range s.segments {
		for i := range g.docs {
			out = append(out, g.docs[i].tool)
		}
	}
	return out
}

// Len returns the number of tools.
func (c *Catalog) Len() int { return c.snapshot().len() }

func (c *Catalog) snapshot() *snapshot {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.snap
}

// reuse takes over the vectors of old for the same texts.
func (g *segment) reuse(old *segment) {
	if old == nil {
		return
	}
	byHash := make(map[uint64][]float32, len(old.docs))
	for i := range old.docs {
		if d := &old.docs[i]; d.vec != nil {
			byHash[d.hash] = d.vec
		}
	}
	for i := range g.docs {
		g.docs[i].vec = byHash[g.docs[i].hash]
	}
	g.count()
}

// clone returns a copy whose documents can be given vectors.
func (g *segment) clone() *segment {
	c := *g
	c.docs = append([]doc(nil), g.docs...)
	return &c
}

// count counts the documents with a vector, and its dimensions, and sketches them.
func (g *segment) count() {
	g.embedded, g.dims, g.sketches = 0, 0, nil
	for i := range g.docs {
		if v := g.docs[i].vec; v != nil {
			g.embedded++
			g.dims = len(v)
			if g.sketches == nil {
				g.sketches = make([]sketch, len(g.docs))
			}
			g.sketches[i] = sketchOf(v)
		}
	}
}
