package conductor_test

import (
	"errors"
	"testing"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
)

// Whatever is stored as shapes, what is made of it is bounded and stays what it is.
func FuzzMergeShapes(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"format":1}`, `{"format":2}`, `{"format":1,"shapes":[{"tool":"a","hash":"b","shape":{"version":1,"calls":2,"depth":8,"root":{"is":["string"]}}}]}`,
		`{"format":1,"shapes":[{"tool":"a","hash":"b","shape":{"version":2}},{"tool":"a","hash":"b","shape":null},{"tool":"","hash":""}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		merged, err := conductor.MergeShapes(data)
		if err != nil {
			if !errors.Is(err, conversation.ErrDamaged) && !errors.Is(err, conversation.ErrFormat) {
				t.Errorf("%v is neither damage nor another format", err)
			}
			return
		}
		if len(merged) > conversation.MaxData {
			t.Errorf("%d bytes cannot be stored", len(merged))
		}
		again, err := conductor.MergeShapes(merged)
		if err != nil || string(again) != string(merged) {
			t.Errorf("read again it is %v\n%s\n%s", err, merged, again)
		}
	})
}
