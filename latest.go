package conductor

import "container/list"

// A latest keeps a value for each conversation that was used lately. It is not safe for
// concurrent use.
type latest[V any] struct {
	most  int // the one that was not used the longest goes when there are more
	byID  map[string]*list.Element
	order *list.List // of *withID[V], the last one first
}

type withID[V any] struct {
	id    string
	value V
}

func newLatest[V any](most int) *latest[V] {
	return &latest[V]{most: most, byID: map[string]*list.Element{}, order: list.New()}
}

// of returns the value of a conversation, which is the zero value at first.
func (l *latest[V]) of(id string) *V {
	e := l.byID[id]
	if e == nil {
		e = l.order.PushFront(&withID[V]{id: id})
		l.byID[id] = e
	}
	l.order.MoveToFront(e)
	if l.order.Len() > l.most {
		l.forget(l.order.Back())
	}
	return &e.Value.(*withID[V]).value
}

// get returns a copy of the value, or the zero value.
func (l *latest[V]) get(id string) (value V) {
	if e := l.byID[id]; e != nil {
		value = e.Value.(*withID[V]).value
	}
	return value
}

// take is get, and forgets it.
func (l *latest[V]) take(id string) V {
	value := l.get(id)
	if e := l.byID[id]; e != nil {
		l.forget(e)
	}
	return value
}

func (l *latest[V]) forget(e *list.Element) {
	delete(l.byID, l.order.Remove(e).(*withID[V]).id)
}
