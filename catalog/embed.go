package catalog

import (
	"cmp"
	"context"
	"fmt"
	"math"
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

// call runs the embedding function and checks its vector. It returns when ctx is
// done even if the function does not.
func (c *Catalog) call(ctx context.Context, text string) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEmbedding, context.Cause(ctx))
	}
	type result struct {
		vec []float32
		err error
	}
	done := make(chan result, 1)
	go func() {
		vec, err := c.embed(ctx, text)
		done <- result{vec, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEmbedding, r.err)
		}
		return unit(r.vec)
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
	for i := range texts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			vecs[i], errs[i] = c.call(ctx, texts[i])
		}()
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
// dimensions, or if that is 0 as many as the first one. It goes on after an error, but gives up when as many calls in a row have failed as may be in
// flight: then the service is down, and the rest would wait for nothing.
func (c *Catalog) embedTools(ctx context.Context, docs []doc, texts []string, want int) error {
	var missing []int
	for i := range docs {
		if docs[i].vec == nil {
			missing = append(missing, i)
		}
	}
	errs := make([]error, len(missing))
	var next, streak, dims atomic.Int64
	dims.Store(int64(want))
	var wg sync.WaitGroup
	for range min(c.concurrency, len(missing)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for streak.Load() < int64(c.concurrency) {
				n := int(next.Add(1)) - 1
				if n >= len(missing) {
					return
				}
				vec, err := c.call(ctx, texts[missing[n]])
				if err == nil {
					dims.CompareAndSwap(0, int64(len(vec)))
					if want := int(dims.Load()); len(vec) != want {
						err = errDimensions(len(vec), want)
					}
				}
				if err != nil {
					errs[n] = err
					streak.Add(1)
					continue
				}
				streak.Store(0)
				docs[missing[n]].vec = vec
			}
		}()
	}
	wg.Wait()
	var first error
	failed := 0
	for n, i := range missing {
		if docs[i].vec == nil {
			failed++
		}
		if first == nil {
			first = errs[n]
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d tools are searchable by words only: %w", failed, len(docs), first)
}
