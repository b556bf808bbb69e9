package catalog_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/conductor/conductor/catalog"
)

// realServers returns real servers with n tools in all. Beyond the size of the
// corpus the servers are repeated under other names.
func realServers(b testing.TB, n int) []catalog.Server {
	b.Helper()
	servers := corpus(b, "toucan_catalog", 1).Servers
	var out []catalog.Server
	for round := 0; n > 0; round++ {
		for _, s := range servers {
			if n <= 0 {
				break
			}
			if round > 0 {
				s.Name = fmt.Sprintf("%s %d", s.Name, round)
			}
			s.Tools = s.Tools[:min(n, len(s.Tools))]
			n -= len(s.Tools)
			out = append(out, s)
		}
	}
	return out
}

var benchQueries = []string{
	"search the web for recent news",
	"create an issue in a github repository",
	"what is the weather tomorrow in Paris",
	"I need to find a cheap hotel near the beach for two people in July and book it",
	"convert currency",
	"run a sql query against postgres",
	"send email with attachment",
	"summarize youtube video transcript",
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{1000, 6000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := fill(b, nil, realServers(b, n))
			i := 0
			for b.Loop() {
				if _, err := c.Search(context.Background(), catalog.Query{Texts: benchQueries[i%len(benchQueries) : i%len(benchQueries)+1]}); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkIndex fills a catalog with 1,000 tools, and reports the heap that it
// keeps beside the tools themselves.
func BenchmarkIndex(b *testing.B) {
	servers := realServers(b, 1000)
	for b.Loop() {
		fill(b, nil, servers)
	}
	b.StopTimer()
	before := heap()
	c := fill(b, nil, servers)
	b.ReportMetric(float64(heap()-before)/1e6, "MB-kept")
	runtime.KeepAlive(c)
}

// BenchmarkSetServer replaces one server among 6,000 tools.
func BenchmarkSetServer(b *testing.B) {
	servers := realServers(b, 6000)
	c := fill(b, nil, servers)
	s := slices.MaxFunc(servers, func(x, y catalog.Server) int { return len(x.Tools) - len(y.Tools) })
	for b.Loop() {
		if err := c.SetServer(context.Background(), s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.Tools)), "tools")
}

func BenchmarkNearest(b *testing.B) {
	c := fill(b, nil, realServers(b, 1000))
	for b.Loop() {
		c.Nearest("github.creat_isue", 3)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
