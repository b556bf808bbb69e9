package sandbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/conductor/conductor/sandbox"
)

// Whoever watches a program can stop it, and is not told of one that never begins.
func TestOnStart(t *testing.T) {
	s := newSandbox(t, nil)
	result := run(t, s, &sandbox.Program{Code: "for (;;) {}", OnStart: func(p *sandbox.Running) error {
		go func() {
			p.Stop(errors.New("it is enough"))
			p.Stop(errors.New("too late"))
		}()
		return nil
	}})
	if result.Phase != sandbox.PhaseKilled || !strings.HasPrefix(result.Error.Message, "the program was stopped: it is enough (after ") {
		t.Errorf("%s: %+v", result.Phase, result.Error)
	}
	var ended *sandbox.Running
	if result := run(t, s, &sandbox.Program{Code: "return 1", OnStart: func(p *sandbox.Running) error { ended = p; return nil }}); string(result.Value) != "1" {
		t.Errorf("%s: %+v", result.Phase, result.Error)
	}
	ended.Stop(errors.New("too late"))
	if n := ended.UnlinkedBytes(); n != 0 {
		t.Errorf("a program without a workspace has %d bytes open", n)
	}
	refused := errors.New("refused")
	if result, err := s.Run(t.Context(), &sandbox.Program{Code: "return 1", OnStart: func(*sandbox.Running) error { return refused }}); result != nil || !errors.Is(err, refused) {
		t.Errorf("%+v, %v", result, err)
	}
	if result := run(t, s, &sandbox.Program{Code: "return (", OnStart: func(*sandbox.Running) error { return refused }}); result.Phase != sandbox.PhaseRejected {
		t.Errorf("%s: %+v", result.Phase, result.Error)
	}
}
