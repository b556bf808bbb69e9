package searcheval

import (
	"cmp"
	"context"

	"github.com/conductor/conductor/catalog"
)

// SearchInContext is the ranker of a catalog that is told of the earlier turns of
// the query's conversation.
func SearchInContext(c *catalog.Catalog) Ranker {
	return RankFunc(func(ctx context.Context, q Query, limit int) ([]string, error) {
		query := catalog.Query{Texts: []string{q.Text}, Limit: limit}
		if n := len(q.History); n > 0 {
			query.Context = &catalog.Context{Used: q.History[n-1].Tools}
			for _, turn := range q.History {
				query.Context.Recent = append(query.Context.Recent, turn.Text)
			}
		}
		res, err := c.Search(ctx, query)
		if err != nil {
			return nil, err
		}
		return IDs(res), nil
	})
}

// Outcome is what a conversation teaches in which the query led to its gold.
func (q *Query) Outcome() catalog.Outcome {
	o := catalog.Outcome{Conversation: cmp.Or(q.Conversation, q.ID), Queries: []string{q.Text}, Tools: q.Gold}
	if n := len(q.History); n > 0 {
		o.Before = q.History[n-1].Tools
	}
	return o
}

// Halves parts queries into two halves; a conversation stays whole.
func Halves(queries []Query) (a, b []Query) {
	seen := make(map[string]int)
	for _, q := range queries {
		key := cmp.Or(q.Conversation, q.ID)
		n, ok := seen[key]
		if !ok {
			n = len(seen)
			seen[key] = n
		}
		if n%2 == 0 {
			a = append(a, q)
		} else {
			b = append(b, q)
		}
	}
	return a, b
}
