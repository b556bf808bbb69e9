package conductor

import (
	"encoding/json"
	"fmt"

	"github.com/conductor/conductor/sandbox"
)

var (
	policyKeys     = []string{"allow", "deny"}
	auditKeys      = []string{"file", "arguments"}
	workspacesKeys = []string{"dir", "max_mb", "max_files"}
)

func (r *configReader) policy(path string, raw json.RawMessage, p *Policy) {
	fields, _ := r.object(path, raw, policyKeys)
	for _, f := range fields {
		at := join(path, f.key)
		patterns := r.list(at, f.value)
		for i, pattern := range patterns {
			if problem := checkPattern(pattern); problem != "" {
				r.problem(fmt.Sprintf("%s[%d]", at, i), "%s", problem) // a variable's value may be in it
			}
		}
		if f.key == "deny" {
			p.Deny = patterns
		} else if p.Allow = patterns; len(patterns) == 0 {
			r.problem(at, "is empty, which would allow everything; leave it out, or deny \"*\"")
		}
	}
}

func (r *configReader) audit(path string, raw json.RawMessage, options *Options) {
	fields, ok := r.object(path, raw, auditKeys)
	for _, f := range fields {
		at := join(path, f.key)
		switch f.key {
		case "file":
			options.AuditFile = r.fromDir(r.expanded(at, f.value))
		case "arguments":
			options.AuditArgs = r.boolean(at, f.value)
		}
	}
	if ok && options.AuditFile == "" {
		r.problem(join(path, "file"), `is not there; want the path of a file such as "calls.jsonl"`)
	}
}

func (r *configReader) workspaces(path string, raw json.RawMessage, w *Workspaces) {
	fields, ok := r.object(path, raw, workspacesKeys)
	for _, f := range fields {
		at := join(path, f.key)
		switch f.key {
		case "dir":
			w.Dir = r.fromDir(r.expanded(at, f.value))
		case "max_mb":
			w.MaxBytes = int64(r.number(at, f.value, 1<<20)) * 1_000_000
		case "max_files":
			w.MaxFiles = r.number(at, f.value, sandbox.MaxWorkspaceFiles)
		}
	}
	if ok && w.Dir == "" {
		r.problem(join(path, "dir"), `is not there; want the path of a folder such as "workspaces"`)
	}
}
