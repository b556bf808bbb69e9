package conductor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// TestLearning asks for a tool in words that only its use can have taught, in
// another conversation than those that used it.
func TestLearning(t *testing.T) {
	leaktest.Check(t)
	const words = "quaxify the frobnicator of add notes"
	for name, off := range map[string]bool{"on": false, "off": true} {
		t.Run(name, func(t *testing.T) {
			c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t)}, NoLearning: off})
			for range 3 {
				conv := newConversation(t, c)
				if _, err := conv.FindTools(context.Background(), words, nil); err != nil {
					t.Fatal(err)
				}
				load(t, conv, "notes.add_note")
				execute(t, conv, `import * as notes from "./mcp/notes"; await notes.add_note({text: "x"})`)
			}
			found, err := newConversation(t, c).FindTools(context.Background(), "quaxify my frobnicator", &conductor.FindOptions{Recent: []string{"hello"}})
			if err != nil {
				t.Fatal(err)
			}
			learned := len(found.Tools) > 0 && found.Tools[0].Name == "notes.add_note" && found.Tools[0].Score > .3
			if learned == off {
				t.Errorf("found %+v", found.Tools)
			}
		})
	}
}

// TestFindWithoutEmbeddings has an embedding service that is down: tools are found by
// their words, and the result says so.
func TestFindWithoutEmbeddings(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{LazySandbox: true, Servers: []mcpclient.Server{notes(t), weather(t)},
		Catalog: catalog.Options{EmbeddingBatch: func(context.Context, []string) ([][]float32, error) {
			return nil, errors.New("402 Payment Required")
		}}})
	found, err := newConversation(t, c).FindTools(context.Background(), "write a note", &conductor.FindOptions{ServerHint: "a notebook"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Tools) == 0 || found.Tools[0].Name != "notes.add_note" || found.Tools[0].Why != "the words write, note" {
		t.Errorf("found %+v", found.Tools)
	}
	if !found.Lexical || !strings.Contains(found.LexicalReason, "402 Payment Required") || !strings.Contains(found.Text(), "Found by words alone") {
		t.Errorf("lexical %v, reason %q, text %q", found.Lexical, found.LexicalReason, found.Text())
	}
}
