package bench

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/catalog"
)

func TestPercentiles(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for name, test := range map[string]struct {
		samples []float64
		want    Percentiles
	}{
		"none":    {nil, Percentiles{}},
		"one":     {[]float64{7}, Percentiles{7, 7, 7, 1}},
		"two":     {[]float64{9, 7}, Percentiles{7, 9, 9, 2}},
		"hundred": {hundred, Percentiles{50, 90, 99, 100}},
	} {
		if diff := cmp.Diff(test.want, numbers(test.samples)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		limits   []limit
		measured Percentiles
		baseline float64
		met      bool
		text     string
	}{
		"met":           {[]limit{most("p50", 4), most("p99", 15)}, Percentiles{4, 5, 15, 100}, 0, true, "p50 <= 4 ms, p99 <= 15 ms"},
		"slow":          {[]limit{most("p50", 4)}, Percentiles{4.1, 5, 15, 100}, 0, false, "p50 <= 4 ms"},
		"slow tail":     {[]limit{most("p99", 15)}, Percentiles{4, 5, 16, 100}, 0, false, "p99 <= 15 ms"},
		"few samples":   {[]limit{most("p99", 15)}, Percentiles{4, 5, 16, 99}, 0, true, "p99 <= 15 ms"},
		"nothing left":  {[]limit{most("p99", 0)}, Percentiles{0, 0, 0, 1}, 0, true, "p99 <= 0 ms"},
		"something":     {[]limit{most("p99", 0)}, Percentiles{0, 0, 1, 3}, 0, false, "p99 <= 0 ms"},
		"ratio":         {[]limit{most("ratio", 1.6)}, Percentiles{P50: 1.6}, 1, true, "ratio <= 1.6"},
		"ratio too big": {[]limit{most("ratio", 1.6)}, Percentiles{P50: 1.7}, 1, false, "ratio <= 1.6"},
		"rate":          {[]limit{least("ratio", 0.8)}, Percentiles{P50: 90}, 100, true, "ratio >= 0.8"},
		"rate too low":  {[]limit{least("ratio", 0.8)}, Percentiles{P50: 70}, 100, false, "ratio >= 0.8"},
	} {
		t.Run(name, func(t *testing.T) {
			p := promise{name: name, unit: "ms", limits: test.limits, measure: func(context.Context, *Env) (Row, error) {
				row := Row{Measured: test.measured}
				if test.baseline > 0 {
					row.Baseline = &Baseline{"else", Percentiles{P50: test.baseline, P90: 4 * test.baseline}}
				}
				return row, nil
			}}
			row := p.row(t.Context(), nil)
			if row.Met != test.met || row.Promise != test.text {
				t.Errorf("met %v, promise %q; want %v, %q", row.Met, row.Promise, test.met, test.text)
			}
			if noted := strings.Contains(strings.Join(row.Notes, ""), "noisy machine"); noted != (test.baseline > 0) {
				t.Errorf("notes are %q", row.Notes)
			}
		})
	}
}

func TestRowError(t *testing.T) {
	p := promise{name: "x", limits: []limit{most("p50", 1)}, measure: func(context.Context, *Env) (Row, error) {
		return Row{Measured: Percentiles{P50: 1}, Notes: []string{"half"}}, errors.New("no luck")
	}}
	if row := p.row(t.Context(), nil); row.Error != "no luck" || row.Met || row.Measured.P50 != 0 || row.Notes != nil {
		t.Errorf("row is %+v", row)
	}
}

// TestInvented checks that made-up tools look like tools, and are the same ones
// each time.
func TestInvented(t *testing.T) {
	tools := invented(2000)
	if diff := cmp.Diff(tools, invented(2000)); diff != "" {
		t.Errorf("they differ:\n%s", diff)
	}
	seen := map[string]bool{}
	for _, tool := range tools {
		if seen[tool.ID()] {
			t.Errorf("%s is there twice", tool.ID())
		}
		seen[tool.ID()] = true
		if n := len(tool.Description); n < 60 || n > 300 {
			t.Errorf("%s: description of %d bytes: %s", tool.ID(), n, tool.Description)
		}
		if n := strings.Count(string(tool.InputSchema), `"description"`); n < 3 || n > 6 {
			t.Errorf("%s: %d parameters", tool.ID(), n)
		}
		if string(acceptable(tool.InputSchema)) != string(tool.InputSchema) {
			t.Errorf("%s: schema %s", tool.ID(), tool.InputSchema)
		}
	}
	servers := (&Env{}).servers(50)
	if len(servers) != 3 || len(servers[0].Tools) != toolsPerServer || len(servers[2].Tools) != 10 {
		t.Errorf("%d servers", len(servers))
	}
}

func TestScanner(t *testing.T) {
	s := newScanner([]catalog.Server{{Name: "a", Tools: []catalog.Tool{
		{Name: "one", Description: "reads a file"}, {Name: "two", Description: "writes"}, {Name: "three", Description: "Reads a FOLDER"},
	}}})
	if diff := cmp.Diff([]int{2, 0}, s.find("reads folder")); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
