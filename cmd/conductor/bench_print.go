package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/conductor/conductor/internal/bench"
)

// showBench prints the report and decides the exit status.
func showBench(s *streams, report *bench.Report, asJSON, strict bool) error {
	if asJSON {
		if err := writeJSON(s.stdout, report); err != nil {
			return err
		}
	} else {
		printBench(s.stdout, report)
	}
	for _, row := range report.Rows {
		if row.Error != "" || strict && !row.Met {
			return errFailed
		}
	}
	return nil
}

// printBench writes the report for people: of each row what is promised, and below
// it what was found.
func printBench(w io.Writer, report *bench.Report) {
	width := 0
	for _, row := range report.Rows {
		width = max(width, len(row.Name))
	}
	margin := strings.Repeat(" ", len("not met")+2+width+2)
	met := 0
	for _, row := range report.Rows {
		state := "not met"
		switch {
		case row.Error != "":
			state = "failed"
		case row.Met:
			state = "met"
			met++
		}
		fmt.Fprintf(w, "%-7s  %-*s  %s: %s\n", state, width, row.Name, row.What, row.Promise)
		if row.Error != "" {
			fmt.Fprintf(w, "%s%s\n", margin, strings.ReplaceAll(printable(row.Error), "\n", "\n"+margin))
			continue
		}
		fmt.Fprintf(w, "%s%s\n", margin, benchNumbers(row))
		for _, note := range row.Notes {
			fmt.Fprintf(w, "%s%s\n", margin, note)
		}
	}
	fmt.Fprintf(w, "\n%d of %s met\n\nMachine\n", met, plural(len(report.Rows), "promise"))
	printMachine(w, report.Machine)
	fmt.Fprint(w, "\nNot measured yet\n")
	for _, promise := range report.NotMeasured {
		fmt.Fprintf(w, "  %s\n", promise)
	}
}

// benchNumbers is one line: what was measured, the baseline and the ratio.
func benchNumbers(row bench.Row) string {
	text := benchPercentiles(row.Measured, row.Unit)
	if b := row.Baseline; b != nil {
		text += fmt.Sprintf("; %s: %s; ratio %s", b.What, benchPercentiles(b.Percentiles, row.Unit), number(row.Ratio))
	}
	return text
}

func benchPercentiles(p bench.Percentiles, unit string) string {
	if p.Samples == 1 {
		return number(p.P50) + " " + unit
	}
	text := fmt.Sprintf("p50 %s, p90 %s", number(p.P50), number(p.P90))
	// Of fewer samples the p99 is the worst, and looks worse than it is.
	if p.Samples >= 100 {
		text += ", p99 " + number(p.P99)
	}
	return fmt.Sprintf("%s %s of %d", text, unit, p.Samples)
}

// number keeps three digits.
func number(f float64) string {
	decimals := 2
	switch {
	case f == float64(int(f)) || f >= 100:
		decimals = 0
	case f >= 10:
		decimals = 1
	case f < 1:
		decimals = 3
	}
	return strconv.FormatFloat(f, 'f', decimals, 64)
}

func printMachine(w io.Writer, m bench.Machine) {
	fmt.Fprintf(w, "  %s, %s/%s, %s", plural(m.Cores, "core"), m.OS, m.Arch, m.Go)
	if m.Load != nil {
		fmt.Fprintf(w, ", load %s before", number(*m.Load))
	}
	fmt.Fprintln(w)
	if m.Deno == "" {
		return // no program ran
	}
	fmt.Fprintf(w, "  Deno %s\n  layers in force: %s\n", m.Deno, orNone(strings.Join(m.Layers, ", ")))
	for _, layer := range slices.Sorted(maps.Keys(m.MissingLayers)) {
		fmt.Fprintf(w, "  without %s: %s\n", layer, printable(m.MissingLayers[layer]))
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
