package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/internal/searcheval"
	"github.com/conductor/conductor/internal/suggest"
)

func evalSearchCommand() *command {
	return &command{
		name:  "eval search",
		usage: "--data DIR [FLAGS]",
		short: "measure how well tools are found, on your own queries",
		long: `
Fills a catalog with the tools of a retrieval set, asks it each query of the set, and
prints how much of what should be found is found, for plain BM25 over names and
descriptions, for Conductor's words alone, its vectors alone, and both together.

DIR is a set, or a folder of sets. A set has two files of one JSON object a line:
  tools.jsonl    {"id","server","name","description","inputSchema"}
  queries.jsonl  {"id","query","gold":["a tool's id",…]}

Example:
  conductor eval search --data testdata/search --failures 10`,
		define: func(flags *flag.FlagSet) action {
			asJSON := jsonFlag(flags)
			data := flags.String("data", "", "read the set, or the sets, in the folder `DIR`")
			only := flags.String("only", "", "measure the rankers `NAME,…` only: "+strings.Join(rankerNames(), ", "))
			failures := flags.Int("failures", 0, "list at most `N` queries of each set of which nothing was among the first 5, for the last ranker; -1 lists all")
			return func(ctx context.Context, s *streams, args []string) error {
				switch {
				case len(args) > 0:
					return usagef("takes no argument, but there is %q", args[0])
				case *data == "":
					return usagef("wants --data, the folder of a retrieval set")
				}
				chosen, err := chooseRankers(*only)
				if err != nil {
					return err
				}
				sets, err := searcheval.Load(*data)
				if errors.Is(err, fs.ErrNotExist) || errors.Is(err, searcheval.ErrNoSets) {
					return &inputError{err: err}
				}
				if err != nil {
					return err
				}
				report, err := evaluate(ctx, sets, chosen, *failures)
				if err != nil {
					return err
				}
				if *asJSON {
					return writeJSON(s.stdout, report)
				}
				printEval(s.stdout, report)
				return nil
			}
		},
	}
}

// A rankerKind is one way to rank, made for each set.
type rankerKind struct {
	name string
	make func(context.Context, *searcheval.Set) (searcheval.Ranker, error)
}

// vectorsAlone is a weight beside which words are nothing.
const vectorsAlone = 1e9

func rankerKinds() []rankerKind {
	search := func(weight float64) func(context.Context, *searcheval.Set) (searcheval.Ranker, error) {
		return func(ctx context.Context, set *searcheval.Set) (searcheval.Ranker, error) {
			c, err := searcheval.Fill(ctx, set, &catalog.Options{VectorWeight: weight})
			if err != nil {
				return nil, err
			}
			return searcheval.Search(c), nil
		}
	}
	return []rankerKind{
		{"bm25", func(_ context.Context, set *searcheval.Set) (searcheval.Ranker, error) {
			return searcheval.NewBM25(set), nil
		}},
		{"lexical", search(-1)},
		{"vector", search(vectorsAlone)},
		{"fused", search(0)},
	}
}

func rankerNames() []string {
	var names []string
	for _, k := range rankerKinds() {
		names = append(names, k.name)
	}
	return names
}

func chooseRankers(only string) ([]rankerKind, error) {
	kinds := rankerKinds()
	if only == "" {
		return kinds, nil
	}
	var chosen []rankerKind
	for _, name := range strings.Split(only, ",") {
		i := slices.IndexFunc(kinds, func(k rankerKind) bool { return k.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, usagef("--only: there is no ranker %q%s", name, suggest.DidYouMean(name, rankerNames()))
		}
		chosen = append(chosen, kinds[i])
	}
	return chosen, nil
}

// An evalReport is what eval search found.
type evalReport struct {
	Sets []evalSet `json:"sets"`
	// Mean has each set with the same weight.
	Mean []evalRow `json:"mean"`
}

type evalSet struct {
	Name     string               `json:"name"`
	Tools    int                  `json:"tools"`
	Rows     []evalRow            `json:"rows"`
	Failures []searcheval.Failure `json:"failures,omitempty"`
	Failed   int                  `json:"failed"` // how many failures there are
}

type evalRow struct {
	Ranker string `json:"ranker"`
	searcheval.Scores
}

func evaluate(ctx context.Context, sets []*searcheval.Set, kinds []rankerKind, failures int) (*evalReport, error) {
	report := &evalReport{}
	all := make([][]searcheval.Scores, len(kinds))
	for _, set := range sets {
		result := evalSet{Name: set.Name}
		for _, server := range set.Servers {
			result.Tools += len(server.Tools)
		}
		for i, kind := range kinds {
			ranker, err := kind.make(ctx, set)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", set.Name, kind.name, err)
			}
			scores, failed, err := searcheval.Measure(ctx, ranker, set.Queries)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", set.Name, kind.name, err)
			}
			result.Rows = append(result.Rows, evalRow{kind.name, scores})
			result.Failed = len(failed)
			if failures >= 0 {
				failed = failed[:min(failures, len(failed))]
			}
			result.Failures = failed
			all[i] = append(all[i], scores)
		}
		report.Sets = append(report.Sets, result)
	}
	for i, kind := range kinds {
		report.Mean = append(report.Mean, evalRow{kind.name, searcheval.Mean(all[i])})
	}
	return report, nil
}

func printEval(w io.Writer, report *evalReport) {
	for _, set := range report.Sets {
		queries := 0
		if len(set.Rows) > 0 {
			queries = set.Rows[0].Queries
		}
		fmt.Fprintf(w, "%s (%s, %d queries)\n", printable(set.Name), plural(set.Tools, "tool"), queries)
		printEvalRows(w, set.Rows)
		for _, f := range set.Failures {
			fmt.Fprintf(w, "  failed: %s\n    wanted: %s\n    found:  %s\n", printable(firstLine(f.Query, 200)), printable(strings.Join(f.Gold, ", ")), printable(strings.Join(f.Found, ", ")))
		}
		fmt.Fprintln(w)
	}
	if len(report.Sets) > 1 {
		fmt.Fprintln(w, "mean of the sets")
		printEvalRows(w, report.Mean)
	}
}

func printEvalRows(w io.Writer, rows []evalRow) {
	fmt.Fprintf(w, "  %-8s %8s %8s %9s %8s %6s %9s %9s\n", "", "Recall@1", "Recall@5", "Recall@10", "nDCG@10", "MRR", "p50", "p99")
	for _, r := range rows {
		fmt.Fprintf(w, "  %-8s %8.3f %8.3f %9.3f %8.3f %6.3f %6.0f µs %6.0f µs\n", r.Ranker, r.Recall1, r.Recall5, r.Recall10, r.NDCG10, r.MRR, r.P50, r.P99)
	}
}
