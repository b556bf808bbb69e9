package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/catalog"
	"github.com/conductor/conductor/codegen"
)

// idlePatterns are the patterns of a policy that match nothing of what the servers
// offer now. One that was meant to deny and is misspelt permits.
func idlePatterns(policy conductor.Policy, offered []named) []string {
	slashless := strings.NewReplacer("/", "\x00") // a slash is a character like others, as in Policy
	var idle []string
	for _, list := range []struct {
		name     string
		patterns []string
	}{{"allow", policy.Allow}, {"deny", policy.Deny}} {
		for _, pattern := range list.patterns {
			matches := func(name string) bool {
				ok, _ := path.Match(slashless.Replace(pattern), slashless.Replace(name))
				return ok
			}
			if !slices.ContainsFunc(offered, func(n named) bool {
				return matches(n[0]) || list.name == "deny" && slices.ContainsFunc(n, matches)
			}) {
				idle = append(idle, fmt.Sprintf("conductor.policy.%s: %q matches no tool of the servers that work now: is it spelt right?", list.name, pattern))
			}
		}
	}
	return idle
}

// A named is something that the servers offer, with all names by which a policy denies
// it; the first is the one by which it is allowed.
type named []string

// offered is what the servers offer, as a policy knows it.
func (r *report) offered(c *conductor.Conductor) []named {
	var all []named
	tools := c.Tools()
	for _, s := range r.Servers {
		of := slices.DeleteFunc(slices.Clone(tools), func(t catalog.Tool) bool { return t.Server != s.Name })
		server := codegen.NewServer(s.Name, of, &codegen.Options{Resources: slices.Contains(s.Beside, "resources"), Prompts: slices.Contains(s.Beside, "prompts")})
		for _, t := range of {
			all = append(all, named{t.ID(), s.Name + "." + server.FunctionName(t.Name)})
		}
		for _, feature := range server.Features() {
			n := named{s.Name + "." + feature}
			for _, name := range []string{feature, server.FeatureKind(feature)} {
				n = append(n, s.Name+"."+name)
				for _, call := range server.FeatureCalls(feature) {
					n = append(n, s.Name+"."+name+"."+call)
				}
			}
			all = append(all, n)
		}
	}
	return all
}
