package conductor

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"

	"github.com/conductor/conductor/catalog"
)

var embeddingKeys = []string{"url", "model", "key", "cache", "weight"}

// maxVectorWeight is beyond what makes sense: words would count for nothing.
const maxVectorWeight = 100

// embedding reads which service embeds texts for the search.
func (r *configReader) embedding(path string, raw json.RawMessage, options *catalog.Options) {
	fields, ok := r.object(path, raw, embeddingKeys)
	if !ok {
		return
	}
	service := &catalog.Service{}
	for _, f := range fields {
		at := join(path, f.key)
		switch f.key {
		case "url":
			service.URL = r.expanded(at, f.value)
			if u, err := url.Parse(service.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				r.problem(at, "is not the URL of a service; want one such as \"https://api.openai.com/v1\"")
			}
		case "model":
			service.Model = r.expanded(at, f.value)
		case "key":
			service.Key = r.expanded(at, f.value)
		case "cache":
			options.EmbeddingCache = r.fromDir(r.expanded(at, f.value))
		case "weight":
			var weight float64
			if json.Unmarshal(f.value, &weight) != nil {
				r.wrongKind(at, f.value, "a number")
			} else if weight <= 0 || weight > maxVectorWeight {
				r.problem(at, "is %v; want more than 0, at most %d, such as %v for a strong model", weight, maxVectorWeight, catalog.StrongVectorWeight)
			}
			options.VectorWeight = weight
		}
	}
	if service.URL == "" || service.Model == "" {
		r.problem(path, "wants url and model, such as \"https://api.openai.com/v1\" and \"text-embedding-3-small\"")
		return
	}
	if options.EmbeddingCache == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			options.EmbeddingCache = filepath.Join(dir, "conductor", "embeddings")
		}
	}
	options.EmbeddingBatch = service.Embed
	options.EmbeddingModel = service.URL + " " + service.Model
}
