package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/conductor/conductor"
)

// idlePatterns are the patterns of a policy that match nothing of what the servers
// offer now. One that was meant to deny and is misspelt permits.
func idlePatterns(policy conductor.Policy, offered []string) []string {
	slashless := strings.NewReplacer("/", "\x00") // a slash is a character like others, as in Policy
	var idle []string
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"allow", policy.Allow}, {"deny", policy.Deny}} {
		for _, pattern := range list.patterns {
			if !slices.ContainsFunc(offered, func(id string) bool {
				matches, _ := path.Match(slashless.Replace(pattern), slashless.Replace(id))
				return matches
			}) {
				idle = append(idle, fmt.Sprintf("conductor.policy.%s: %q matches no tool of the servers that work now: is it spelt right?", list.name, pattern))
			}
		}
	}
	return idle
}

// offered are the names by which a policy knows what the servers offer.
func (r *report) offered(c *conductor.Conductor) []string {
	var ids []string
	for _, t := range c.Tools() {
		ids = append(ids, t.ID())
	}
	for _, s := range r.Servers {
		for _, feature := range s.Beside {
			ids = append(ids, s.Name+"."+feature)
		}
	}
	return ids
}
