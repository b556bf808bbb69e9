package conductor

import (
	"fmt"
	"testing"

	"github.com/conductor/conductor/conversation"
)

func TestLatest(t *testing.T) {
	l := newLatest[int](2)
	*l.of("a")++
	*l.of("b") += 2
	*l.of("a")++
	*l.of("c") += 3 // b goes
	for id, want := range map[string]int{"a": 2, "b": 0, "c": 3, "never": 0} {
		if got := l.get(id); got != want {
			t.Errorf("%s is %d, want %d", id, got, want)
		}
	}
	if got := l.take("a"); got != 2 || l.get("a") != 0 || l.take("a") != 0 {
		t.Errorf("took %d", got)
	}
	*l.of("d"), *l.of("e") = 4, 5
	if len(l.byID) != 2 || l.order.Len() != 2 || l.get("c") != 0 || l.get("e") != 5 {
		t.Errorf("%d and %d are kept", len(l.byID), l.order.Len())
	}
}

// Searches count, however many conversations have only searched.
func TestPendingCounters(t *testing.T) {
	p := newPendingCounters()
	for i := range maxPending + 10 {
		p.add(fmt.Sprint(i), conversation.Counters{Searches: 1})
	}
	p.add("nothing", conversation.Counters{})
	if newest, oldest := p.get(fmt.Sprint(maxPending+9)).Searches, p.get("9").Searches; newest != 1 || oldest != 0 {
		t.Errorf("the newest has %d, the oldest %d", newest, oldest)
	}
	if len(p.byID.byID) != maxPending {
		t.Errorf("%d are kept", len(p.byID.byID))
	}
}
