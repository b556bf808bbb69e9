package typecheck

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// toolsModule makes a module like codegen's, of a number of tools. The salt makes it
// another one.
func toolsModule(tools, salt int) Module {
	var b strings.Builder
	fmt.Fprintf(&b, "// %d\nimport { call } from \"conductor:bridge\";\n", salt)
	for i := range tools {
		fmt.Fprintf(&b, `
export type Tool%[1]dArgs = {
  /** What it is called. */
  name: string;
  filter?: { field: "a" | "b" | "c"; value: string | number; nested?: { x: number; y: string }[] };
  limit?: number;
};
export type Tool%[1]dResult = { id: number; items: { id: string; title: string; tags: string[] }[] };
/** Does one of many things, and says so at some length as tools like to do. */
export function tool%[1]d(args: Tool%[1]dArgs): Promise<Tool%[1]dResult> {
  return call("x.tool%[1]d", args);
}
`, i)
	}
	return Module{"./mcp/x", b.String()}
}

// typical is a program of the usual size, with one mistake.
func typical(i int) string {
	return fmt.Sprintf(`import * as x from "./mcp/x";
const first = await x.tool0({ name: "n%d", limit: 10, filter: { field: "a", value: 5 } });
const titles = first.items.map((item) => item.title.toUpperCase());
const counts = new Map();
for (const title of titles) counts.set(title, (counts.get(title) ?? 0) + 1);
const rest = await Promise.all(titles.slice(0, 3).map((name) => x.tool0({ name })));
const tags = new Set(rest.flatMap((r) => r.items.flatMap((item) => item.tags)));
try {
  await x.tool0({ name: [...tags].join() });
} catch (e) {
  console.error(e.message);
}
if (counts.size > %d) return [...counts].filter(([, n]) => n > 1).sort((a, b) => b[1] - a[1]);
return first.itemz;`, i, i)
}

func bench(b *testing.B, c *Checker, parallel int, make func(i int) *Program) {
	var mu sync.Mutex
	var took []time.Duration
	next := 0
	var wg sync.WaitGroup
	b.ResetTimer()
	for range parallel {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= b.N {
					return
				}
				p := make(i)
				started := time.Now()
				found, err := c.Check(b.Context(), p)
				elapsed := time.Since(started)
				if err != nil || len(found) != 1 {
					b.Errorf("check %d: %v, %v", i, found, err)
					return
				}
				mu.Lock()
				took = append(took, elapsed)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	for _, q := range []int{50, 90, 99} {
		if len(took) > 0 {
			b.ReportMetric(float64(took[len(took)*q/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", q))
		}
	}
	rss := 0
	for _, s := range c.idle {
		rss = max(rss, s.residentMB())
	}
	b.ReportMetric(float64(rss), "MB")
}

func BenchmarkCheck(b *testing.B) {
	for _, tools := range []int{1, 100, 1000} {
		one := toolsModule(tools, 0)
		prepared := func(i int, m Module) *Program {
			p := &Program{Modules: []Module{m}}
			p.Wrapped, p.UserLine = wrap(typical(i))
			return p
		}
		for _, parallel := range []int{1, 8} {
			b.Run(fmt.Sprintf("same/tools=%d/parallel=%d", tools, parallel), func(b *testing.B) {
				c := newChecker(b, Options{})
				if err := c.Warm(b.Context()); err != nil {
					b.Fatal(err)
				}
				check(b, c, prepared(-1, one))
				bench(b, c, parallel, func(i int) *Program { return prepared(i, one) })
			})
		}
		b.Run(fmt.Sprintf("changed/tools=%d", tools), func(b *testing.B) {
			c := newChecker(b, Options{})
			if err := c.Warm(b.Context()); err != nil {
				b.Fatal(err)
			}
			modules := make([]Module, 16)
			for i := range modules {
				modules[i] = toolsModule(tools, i)
			}
			bench(b, c, 1, func(i int) *Program { return prepared(i, modules[i%len(modules)]) })
		})
		b.Run(fmt.Sprintf("cold/tools=%d", tools), func(b *testing.B) {
			bench1 := func() {
				c := newChecker(b, Options{Servers: 1})
				b.StartTimer()
				check(b, c, prepared(0, one))
				b.StopTimer()
				c.Close()
			}
			b.StopTimer()
			for range b.N {
				bench1()
			}
		})
	}
}
