package conductor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/conductor/conductor"
)

func TestReadConfigEmbedding(t *testing.T) {
	t.Setenv("SECRET", "s3cret")
	dir := t.TempDir()
	read := func(text string) (*conductor.Options, error) {
		path := filepath.Join(dir, "mcp.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return conductor.ReadConfig(path)
	}
	options, err := read(`{"mcpServers":{},"conductor":{"learning":false,
		"embedding":{"url":"http://localhost:11434/v1","model":"nomic","key":"${SECRET}","cache":"vectors","weight":1.5}}}`)
	if err != nil {
		t.Fatal(err)
	}
	c := options.Catalog
	if c.EmbeddingBatch == nil || c.EmbeddingModel != "http://localhost:11434/v1 nomic" || c.VectorWeight != 1.5 ||
		c.EmbeddingCache != filepath.Join(dir, "vectors") || !options.NoLearning {
		t.Errorf("got %+v", c)
	}
	for section, want := range map[string]string{
		`{"embedding":{"url":"http://x/v1"}}`:                                    "wants url and model",
		`{"embedding":{"url":"localhost","model":"m"}}`:                          "is not the URL of a service",
		`{"embedding":{"url":"http://x","model":"m","weight":-1}}`:               "conductor.embedding.weight: is -1; want more than 0",
		`{"embedding":{"url":"http://x","model":"m","weight":"a"}}`:              "want a number",
		`{"embedding":"http://x"}`:                                               "want an object",
		`{"embedding":{"url":"http://x","model":"m","keys":"${SECRET} no key"}}`: "keys",
		`{"learning":"no"}`:                                                      "want true or false",
	} {
		_, err := read(`{"mcpServers":{},"conductor":` + section + `}`)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", section, err, want)
		}
	}
}
