package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Service is an embedding service with OpenAI's interface, which most have: OpenAI
// itself, Ollama (http://localhost:11434/v1), vLLM, LM Studio, Mistral and others.
type Service struct {
	// URL is the base, such as "https://api.openai.com/v1"; "/embeddings" is added.
	URL string
	// Model is the service's name for the model, such as "text-embedding-3-small".
	Model string
	// Key is sent as a bearer token. Empty sends none.
	Key string
	// Client makes the requests. Nil means [http.DefaultClient].
	Client *http.Client
}

const (
	maxAttempts      = 4
	firstPause       = 250 * time.Millisecond
	maxPause         = 20 * time.Second
	maxServiceAnswer = 64 << 20
)

// Embed is a [BatchEmbeddingFunc]. A service that is busy (429) or fails (5xx), or
// that cannot be reached, is asked up to four times, after growing pauses or when it
// says, as far as ctx allows.
func (s *Service) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	for attempt := 1; ; attempt++ {
		vecs, after, err := s.ask(ctx, texts)
		if err == nil || after < 0 || attempt == maxAttempts || ctx.Err() != nil {
			return vecs, err
		}
		pause := min(firstPause<<(2*(attempt-1)), maxPause)
		pause = max(pause/2+rand.N(pause/2), min(after, maxPause))
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < pause {
			return nil, err // better to say so now
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// ask makes one request. If it fails, after says when another one may do better, and
// is negative if none will.
func (s *Service) ask(ctx context.Context, texts []string) (vecs [][]float32, after time.Duration, err error) {
	body, err := json.Marshal(map[string]any{"model": s.Model, "input": texts, "encoding_format": "float"})
	if err != nil {
		return nil, -1, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.URL, "/")+"/embeddings", bytes.NewReader(body))
	if err != nil {
		return nil, -1, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.Key != "" {
		req.Header.Set("Authorization", "Bearer "+s.Key)
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxServiceAnswer+1))
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s answered %s: %s", req.URL.Redacted(), resp.Status, clip(strings.TrimSpace(string(data)), 200))
		if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < 500 {
			return nil, -1, err
		}
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, time.Duration(min(max(seconds, 0), 3600)) * time.Second, err
	}
	if len(data) > maxServiceAnswer {
		return nil, -1, fmt.Errorf("%s answered with more than %d bytes", req.URL.Redacted(), maxServiceAnswer)
	}
	vecs, err = readVectors(data, len(texts))
	if err != nil {
		return nil, -1, fmt.Errorf("%s: %w", req.URL.Redacted(), err)
	}
	return vecs, 0, nil
}

// readVectors reads an answer with n vectors, which may come in any order.
func readVectors(data []byte, n int) ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("the answer is no list of embeddings: %w", err)
	}
	if len(answer.Data) != n {
		return nil, fmt.Errorf("the answer has %d embeddings for %d texts", len(answer.Data), n)
	}
	vecs := make([][]float32, n)
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= n || vecs[d.Index] != nil || len(d.Embedding) == 0 {
			return nil, errors.New("the embeddings in the answer are not one for each text")
		}
		vecs[d.Index] = d.Embedding
	}
	return vecs, nil
}
