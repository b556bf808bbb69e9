package catalog

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// maxEmbedRunes is the length of the texts given to an embedding function. Small
// models read 256 to 512 tokens anyway, and the first 2,000 characters of a
// description are where the tool is named.
const maxEmbedRunes = 2000

// embeddingText is what stands for a tool in front of an embedding function:
// plain concatenation, which does better in published comparisons than a
// weighted mean of separately embedded fields (ScaleMCP, arXiv 2505.06416).
func embeddingText(s *Server, t *Tool, params []string) string {
	var b strings.Builder
	b.WriteString(clip(cmp.Or(s.Title, s.Name), maxTitleRunes))
	b.WriteString(": ")
	b.WriteString(clip(t.Name, maxTitleRunes))
	if t.Title != "" && t.Title != t.Name {
		b.WriteString(" (" + clip(t.Title, maxTitleRunes) + ")")
	}
	b.WriteByte('\n')
	b.WriteString(clip(t.Description, maxEmbedRunes))
	for i, p := range params {
		if b.Len() > utf8.UTFMax*maxEmbedRunes {
			break
		}
		b.WriteString([]string{"\nParameters: ", ", "}[min(i, 1)])
		b.WriteString(p)
	}
	return clip(b.String(), maxEmbedRunes)
}

// clip returns text as UTF-8 of at most n characters.
func clip(text string, n int) string {
	if len(text) > n {
		i := 0
		for ; i < len(text) && n > 0; n-- {
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
		}
		text = text[:i]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// call runs the embedding function for some texts and checks its vectors. It returns
// when ctx is done even if the function does not.
func (c *Catalog) call(ctx context.Context, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEmbedding, context.Cause(ctx))
	}
	type result struct {
		vecs [][]float32
		err  error
	}
	done := make(chan result, 1)
	go func() {
		vecs, err := c.embed(ctx, texts)
		done <- result{vecs, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEmbedding, r.err)
		}
		if len(r.vecs) != len(texts) {
			return nil, fmt.Errorf("%w: there are %d vectors for %d texts", ErrEmbedding, len(r.vecs), len(texts))
		}
		out := make([][]float32, len(texts))
		for i, v := range r.vecs {
			var err error
			if out[i], err = unit(v); err != nil {
				return nil, err
			}
		}
		return out, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrEmbedding, context.Cause(ctx))
	}
}

// unit returns vec at length 1, in memory of its own.
func unit(vec []float32) ([]float32, error) {
	var squares float64
	for _, v := range vec {
		squares += float64(v) * float64(v)
	}
	switch {
	case len(vec) == 0:
		return nil, fmt.Errorf("%w: the vector is empty", ErrEmbedding)
	case math.IsNaN(squares) || math.IsInf(squares, 0):
		return nil, fmt.Errorf("%w: the vector is not finite", ErrEmbedding)
	case squares < 1e-30:
		return nil, fmt.Errorf("%w: the vector is zero", ErrEmbedding)
	}
	out := make([]float32, len(vec))
	scale := 1 / math.Sqrt(squares)
	for i, v := range vec {
		out[i] = float32(float64(v) * scale)
	}
	return out, nil
}

// errDimensions says that a vector does not fit the others.
func errDimensions(got, want int) error {
	return fmt.Errorf("%w: the vector has %d dimensions, the others have %d", ErrEmbedding, got, want)
}

// embedQuery returns a vector for each text, or the reason why there is none. A
// nil vector means that the text has nothing to embed.
func (c *Catalog) embedQuery(ctx context.Context, texts []string) ([][]float32, error) {
	vecs := make([][]float32, len(texts))
	if c.builtin {
		for i, t := range texts {
			vecs[i] = builtinVector(t)
		}
		return vecs, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no vector within %v: %w", c.timeout, context.DeadlineExceeded))
	defer cancel()
	errs := make([]error, len(texts))
	var wg sync.WaitGroup
	for start := 0; start < len(texts); start += c.batch {
		wg.Go(func() {
			end := min(start+c.batch, len(texts))
			var some [][]float32
			some, errs[start] = c.call(ctx, texts[start:end])
			copy(vecs[start:end], some)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return vecs, nil
}

// embedTools fills in the vectors of docs that have none; they must have want
// dimensions, or if that is 0 as many as the first one. It goes on after an error, but
// gives up when as many calls in a row have failed as may be in flight: then the
// service is down, and the rest would wait for nothing.
func (c *Catalog) embedTools(ctx context.Context, docs []doc, texts []string, want int) error {
	var missing []int
	for i := range docs {
		if docs[i].vec == nil && c.cache != nil {
			if docs[i].vec = c.cache.get(texts[i], want); docs[i].vec != nil {
				want = len(docs[i].vec)
			}
		}
		if docs[i].vec == nil {
			missing = append(missing, i)
		}
	}
	batches := slices.Collect(slices.Chunk(missing, c.batch))
	errs := make([]error, len(batches))
	var next, streak, dims atomic.Int64
	dims.Store(int64(want))
	var wg sync.WaitGroup
	for range min(c.concurrency, len(batches)) {
		wg.Go(func() {
			for streak.Load() < int64(c.concurrency) {
				n := int(next.Add(1)) - 1
				if n >= len(batches) {
					return
				}
				if errs[n] = c.embedBatch(ctx, docs, texts, batches[n], &dims); errs[n] != nil {
					streak.Add(1)
				} else {
					streak.Store(0)
				}
			}
		})
	}
	wg.Wait()
	failed := 0
	for _, i := range missing {
		if docs[i].vec == nil {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	var first error
	for _, err := range errs {
		if first = err; err != nil {
			break
		}
	}
	return fmt.Errorf("%d of %d tools are searchable by words only: %w", failed, len(docs), first)
}

// embedBatch fills in the vectors of some docs, all of them or none. The first vector
// of all decides on the dimensions.
func (c *Catalog) embedBatch(ctx context.Context, docs []doc, texts []string, which []int, dims *atomic.Int64) error {
	some := make([]string, len(which))
	for n, i := range which {
		some[n] = texts[i]
	}
	vecs, err := c.call(ctx, some)
	if err != nil {
		return err
	}
	dims.CompareAndSwap(0, int64(len(vecs[0])))
	for _, v := range vecs {
		if want := int(dims.Load()); len(v) != want {
			return errDimensions(len(v), want)
		}
	}
	for n, i := range which {
		docs[i].vec = vecs[n]
		if c.cache != nil {
			c.cache.put(some[n], vecs[n])
		}
	}
	return nil
}
