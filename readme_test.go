package conductor_test

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor"
)

// sourced matches a code block of README.md with the comment that names where it
// comes from: a file, or a region of one between readme:begin NAME and readme:end.
var sourced = regexp.MustCompile("(?ms)^<!-- source: (\\S+?)(?:#(\\S+))? -->\n```\\w+\n(.*?)^```$")

var update = flag.Bool("update", false, "rewrite the code blocks of README.md")

// Code that a reader copies must be code that was compiled.
func TestReadmeShowsCompiledCode(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := sourced.FindAllStringSubmatch(string(readme), -1)
	if all := regexp.MustCompile("(?m)^```(go|json)$").FindAllString(string(readme), -1); len(blocks) != len(all) {
		t.Errorf("%d of %d Go and JSON blocks say where they come from", len(blocks), len(all))
	}
	if *update {
		updated := sourced.ReplaceAllFunc(readme, func(block []byte) []byte {
			m := sourced.FindSubmatchIndex(block)
			source := readSource(t, string(block[m[2]:m[3]]), region(block, m))
			return slices.Concat(block[:m[6]], []byte(source), block[m[7]:])
		})
		if err := os.WriteFile("README.md", updated, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, block := range blocks {
		file, region, got := block[1], block[2], block[3]
		t.Run(file+"#"+region, func(t *testing.T) {
			if diff := cmp.Diff(readSource(t, file, region), got); diff != "" {
				t.Errorf("README.md differs from its source (-source +README):\n%s", diff)
			}
		})
	}
}

func region(block []byte, match []int) string {
	if match[4] < 0 {
		return ""
	}
	return string(block[match[4]:match[5]])
}

func readSource(t *testing.T, file, region string) string {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if region == "" {
		return string(source)
	}
	return cutRegion(t, string(source), region)
}

// cutRegion returns the lines of a region without their common indentation.
func cutRegion(t *testing.T, source, name string) string {
	lines := strings.SplitAfter(source, "\n")
	marker := func(text string) func(string) bool {
		return func(l string) bool { return strings.TrimSpace(l) == text }
	}
	begin := slices.IndexFunc(lines, marker("// readme:begin "+name))
	if begin < 0 {
		t.Fatalf("there is no region %q", name)
	}
	lines = lines[begin+1:]
	end := slices.IndexFunc(lines, marker("// readme:end"))
	if end < 0 {
		t.Fatalf("region %q has no end", name)
	}
	lines = lines[:end]
	indent := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], "\t"))]
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, indent)
	}
	return strings.TrimRight(strings.Join(lines, ""), "\n") + "\n"
}

// The README promises that these two do all the set-up; CI runs both.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```sh\n")
	first, _, _ := strings.Cut(rest, "```")
	commands := strings.Fields(strings.ReplaceAll(strings.TrimSpace(first), "\n", " && "))
	if got := strings.Join(commands, " "); !ok || got != "go run ./examples/quickstart && go test ./..." {
		t.Errorf("the README begins with %q", got)
	}
	for _, command := range strings.Split(strings.TrimSpace(first), "\n") {
		if !strings.Contains(string(ci), "\n"+command+"\n") {
			t.Errorf(".ci/run does not run %q", command)
		}
	}
}

// The configuration that the README shows must be one.
func TestReadmeConfiguration(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	opts, err := conductor.ReadConfig("examples/servers.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(opts.Servers) != 2 || opts.Servers[0].Name != "files" || !opts.Servers[1].Disabled {
		t.Errorf("servers %+v", opts.Servers)
	}
}
