package bench

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Row is one promise and what was measured of it.
type Row struct {
	Name string `json:"name"`
	// What says what is measured, Promise what it should be.
	What    string `json:"what"`
	Promise string `json:"promise"`
	// Unit is that of Measured and Baseline.
	Unit     string      `json:"unit"`
	Measured Percentiles `json:"measured"`
	// Baseline is nil if there is nothing to compare with.
	Baseline *Baseline `json:"baseline,omitempty"`
	// Ratio is the p50 of what was measured by that of the baseline; 0 without one.
	Ratio float64 `json:"ratio,omitempty"`
	Met   bool    `json:"met"`
	// Notes say what a reader should know before believing the numbers.
	Notes []string `json:"notes,omitempty"`
	// Error is why there are no numbers; else it is empty.
	Error string `json:"error,omitempty"`
	// Seconds is how long the row took, with its preparations.
	Seconds float64 `json:"seconds"`
}

// Percentiles are taken from sorted samples, by the nearest rank.
type Percentiles struct {
	P50     float64 `json:"p50"`
	P90     float64 `json:"p90"`
	P99     float64 `json:"p99"`
	Samples int     `json:"samples"`
}

// A Baseline is something else that was measured in turns with the row.
type Baseline struct {
	What string `json:"what"`
	Percentiles
}

// A promise is how a row is measured and judged.
type promise struct {
	name, what, unit string
	limits           []limit
	deno             bool // it needs Deno
	slow             bool
	// measure fills Measured, Baseline and Notes.
	measure func(context.Context, *Env) (Row, error)
}

// A limit is "p50 <= 4" or the like, of "p50", "p90", "p99", "ratio" (of the p50) or
// "p99 ratio".
type limit struct {
	of    string
	least bool // the bound is the least, and not the most
	bound float64
}

func most(of string, bound float64) limit  { return limit{of, false, bound} }
func least(of string, bound float64) limit { return limit{of, true, bound} }

// promises are the table of docs/design.md, as far as it can be measured.
var promises = []promise{
	{name: "warm", what: "Execute `return 1+1`, warm, fresh process, OS layers on, no type check", unit: "ms",
		limits: []limit{most("p50", 4), most("p99", 15)}, deno: true, measure: warm},
	{name: "cold", what: "Execute `return 1+1`, pool empty, OS layers on, no type check", unit: "ms",
		limits: []limit{most("p50", 40)}, deno: true, measure: cold},
	{name: "typed-1", what: "the same as warm, with type check and 1 tool in the module it imports", unit: "ms",
		limits: []limit{most("p50", 15)}, deno: true, measure: typed(1)},
	{name: "typed-100", what: "the same with 100 tools", unit: "ms",
		limits: []limit{most("p50", 15)}, deno: true, measure: typed(100)},
	{name: "typed-1000", what: "the same with 1,000 tools", unit: "ms",
		limits: []limit{most("p50", 15)}, deno: true, measure: typed(1000)},
	{name: "call", what: "one tool call from inside a program, over a direct go-sdk call to the same server", unit: "ms",
		limits: []limit{most("ratio", 1.6)}, deno: true, measure: toolCall},
	{name: "neighbour", what: "a call of a server beside others that exit, die, hang and refuse, over one beside nobody", unit: "ms",
		limits: []limit{most("p99 ratio", 2)}, measure: neighbour},
	{name: "sustained", what: "sustained runs on all cores, against bare deno run of the same file", unit: "runs/s",
		limits: []limit{least("ratio", 0.8)}, deno: true, measure: sustained},
	{name: "find", what: "FindTools among 1,000 tools, built-in embedder", unit: "ms",
		limits: []limit{most("p50", 1)}, measure: findFew},
	{name: "find-100k", what: "search among 100,000 tools, built-in embedder", unit: "ms",
		limits: []limit{most("p50", 30)}, slow: true, measure: findMany},
	{name: "index", what: "indexing 1,000 tools, built-in embedder", unit: "ms",
		limits: []limit{most("p50", 150)}, measure: index},
	{name: "heap-catalog", what: "Go heap of a catalog of 1,000 tools, with the tools", unit: "MB",
		limits: []limit{most("p50", 15)}, measure: heapCatalog},
	{name: "heap-conversation", what: "Go heap of a conversation with 5 loaded tools and 3 imports, with its handle", unit: "kB",
		limits: []limit{most("p50", 100)}, measure: heapConversation},
	{name: "heap-connection", what: "Go heap of a connection to a small server on stdio", unit: "MB",
		limits: []limit{most("p50", 1)}, measure: heapConnection},
	{name: "tokens-50", what: "what the first message of a conversation takes with 50 tools: definitions and prompt", unit: "tokens",
		limits: []limit{most("p90", 1200)}, measure: prompts(50, false)},
	{name: "tokens-100", what: "the same with 100 tools", unit: "tokens",
		limits: []limit{most("p90", 1500)}, measure: prompts(100, false)},
	{name: "tokens-200", what: "the same with 200 tools", unit: "tokens",
		limits: []limit{most("p90", 2000)}, measure: prompts(200, false)},
	{name: "tokens-50-later", what: "what is new in its later messages, behind what is cached, with 50 tools", unit: "tokens",
		limits: []limit{most("p90", 200)}, measure: prompts(50, true)},
	{name: "tokens-100-later", what: "the same with 100 tools", unit: "tokens",
		limits: []limit{most("p90", 300)}, measure: prompts(100, true)},
	{name: "tokens-200-later", what: "the same with 200 tools", unit: "tokens",
		limits: []limit{most("p90", 400)}, measure: prompts(200, true)},
	{name: "modules", what: "generated modules that do not type-check", unit: "modules",
		limits: []limit{most("p50", 0)}, measure: modules},
	{name: "left", what: "goroutines, processes and files left after Close", unit: "left",
		limits: []limit{most("p99", 0)}, deno: true, measure: left},
}

// fewSamples is below what a 99th percentile is no more than the worst sample.
const fewSamples = 100

// noisy is how many times its p50 the p90 of a baseline may be on a machine that
// has time for it.
const noisy = 3

// row measures the promise and judges what came out.
func (p *promise) row(ctx context.Context, env *Env) Row {
	started := time.Now()
	row, err := p.measure(ctx, env)
	row.Name, row.What, row.Promise, row.Unit = p.name, p.what, p.text(), p.unit
	row.Seconds = round(time.Since(started).Seconds())
	if err != nil {
		return Row{Name: row.Name, What: row.What, Promise: row.Promise, Unit: row.Unit, Seconds: row.Seconds, Error: err.Error()}
	}
	if b := row.Baseline; b != nil && b.P50 > 0 {
		row.Ratio = round(row.Measured.P50 / b.P50)
		if b.P90 > noisy*b.P50 {
			row.Notes = append(row.Notes, fmt.Sprintf("noisy machine: the p90 of the baseline is %.1f times its p50", b.P90/b.P50))
		}
	}
	p.judge(&row)
	row.Measured = row.Measured.rounded()
	if row.Baseline != nil {
		row.Baseline.Percentiles = row.Baseline.rounded()
	}
	return row
}

// judge compares with the limits. It leaves out a p99 that the samples do not give,
// unless all of them must be the same.
func (p *promise) judge(row *Row) {
	row.Met = true
	for _, l := range p.limits {
		value := row.Ratio
		switch l.of {
		case "p50":
			value = row.Measured.P50
		case "p90":
			value = row.Measured.P90
		case "p99":
			value = row.Measured.P99
		case "p99 ratio":
			if value = 0; row.Baseline != nil && row.Baseline.P99 > 0 {
				value = row.Measured.P99 / row.Baseline.P99
			}
			row.Notes = append(row.Notes, fmt.Sprintf("the ratio of the p99 is %.2f", value))
		}
		if strings.HasPrefix(l.of, "p99") && row.Measured.Samples < fewSamples && l.bound > 0 {
			row.Notes = append(row.Notes, fmt.Sprintf("the p99 is not judged: that takes %d samples", fewSamples))
			continue
		}
		row.Met = row.Met && (value >= l.bound || !l.least) && (value <= l.bound || l.least)
	}
}

// text is like "p50 <= 4 ms, p99 <= 15 ms".
func (p *promise) text() string {
	var parts []string
	for _, l := range p.limits {
		sign, unit := "<=", " "+p.unit
		if l.least {
			sign = ">="
		}
		if strings.HasSuffix(l.of, "ratio") {
			unit = ""
		}
		parts = append(parts, fmt.Sprintf("%s %s %v%s", l.of, sign, l.bound, unit))
	}
	return strings.Join(parts, ", ")
}

// percentiles sorts the samples.
func percentiles[T cmp.Ordered](samples []T, value func(T) float64) Percentiles {
	if len(samples) == 0 {
		return Percentiles{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	at := func(p float64) float64 {
		return value(sorted[max(int(math.Ceil(p*float64(len(sorted)))), 1)-1])
	}
	return Percentiles{P50: at(.50), P90: at(.90), P99: at(.99), Samples: len(sorted)}
}

func times(samples []time.Duration) Percentiles {
	return percentiles(samples, func(d time.Duration) float64 { return d.Seconds() * 1000 })
}

func numbers(samples []float64) Percentiles {
	return percentiles(samples, func(f float64) float64 { return f })
}

func (p Percentiles) rounded() Percentiles {
	return Percentiles{round(p.P50), round(p.P90), round(p.P99), p.Samples}
}

// round keeps microseconds of milliseconds.
func round(f float64) float64 { return math.Round(f*1000) / 1000 }
