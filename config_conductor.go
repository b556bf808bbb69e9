package conductor

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"

	"github.com/conductor/conductor/sandbox"
)

func (r *configReader) conductor(path string, raw json.RawMessage, options *Options) {
	fields, _ := r.object(path, raw, conductorKeys)
	for _, f := range fields {
		at := join(path, f.key)
		switch f.key {
		case "deno":
			deno := r.expanded(at, f.value)
			if strings.ContainsAny(deno, `/\`) {
				deno = r.fromDir(deno)
			}
			options.Sandbox.Deno = deno
		case "timeout":
			options.Sandbox.Timeout = r.duration(at, f.value, sandbox.MaxTimeout)
		case "memory_mb":
			options.Sandbox.Profile.MemoryMB = r.number(at, f.value, 1<<20)
		case "connect_timeout":
			options.Client.ConnectTimeout = r.duration(at, f.value, math.MaxInt64)
		case "call_timeout":
			options.Client.CallTimeout = r.duration(at, f.value, math.MaxInt64)
		case "max_output":
			options.Sandbox.MaxOutput = r.number(at, f.value, 1<<30)
		case "max_value":
			options.Sandbox.MaxValue = r.number(at, f.value, 1<<30)
		case "type_check":
			options.Sandbox.TypeCheck = r.typeCheck(at, f.value)
		case "isolation":
			options.Sandbox.Isolation = r.isolation(at, f.value)
		case "workspace":
			options.Sandbox.Profile.Workspace = r.fromDir(r.expanded(at, f.value))
		case "permissions":
			r.permissions(at, f.value, &options.Sandbox.Profile.Permissions)
		case "store":
			options.StoreURL = r.store(at, f.value)
		case "keep_conversations":
			options.KeepConversations = r.duration(at, f.value, math.MaxInt64)
		case "policy":
			r.policy(at, f.value, &options.Policy)
		case "tokens":
			r.tokens = r.fromDir(r.expanded(at, f.value))
		case "workspaces":
			r.workspaces(at, f.value, &options.Workspaces)
		case "audit":
			r.audit(at, f.value, options)
		case "embedding":
			r.embedding(at, f.value, &options.Catalog)
		case "learning":
			options.NoLearning = !r.boolean(at, f.value)
		case "dependencies":
			options.Sandbox.Profile.Dependencies.Allow = r.list(at, f.value)
		}
	}
}

// store returns a URL as it is, and the path of a folder absolute.
func (r *configReader) store(path string, raw json.RawMessage) string {
	location := r.expanded(path, raw)
	switch {
	case strings.Contains(location, "://"):
		return location
	case location == "" && kindOf(raw) == "a string":
		r.problem(path, `is empty; want a folder, or a URL such as "redis://localhost:6379/0"`)
	}
	return r.fromDir(location)
}

func (r *configReader) isolation(path string, raw json.RawMessage) sandbox.Isolation {
	text, ok := r.text(path, raw)
	switch isolation := sandbox.Isolation(text); isolation {
	case sandbox.IsolationRequire, sandbox.IsolationOff:
		return isolation
	}
	if ok {
		r.problem(path, "%q is not a choice; want require or off, or leave it out for what the machine offers", text)
	}
	return ""
}

func (r *configReader) typeCheck(path string, raw json.RawMessage) sandbox.TypeCheck {
	text, ok := r.text(path, raw)
	switch mode := sandbox.TypeCheck(text); mode {
	case sandbox.TypeCheckEnforce, sandbox.TypeCheckReport, sandbox.TypeCheckOff:
		return mode
	}
	if ok {
		r.problem(path, "%q is not a choice; want enforce, report or off", text)
	}
	return ""
}

func (r *configReader) permissions(path string, raw json.RawMessage, p *sandbox.Permissions) {
	fields, _ := r.object(path, raw, permissionKeys)
	lists := map[string]*[]string{
		"net": &p.Net, "read": &p.Read, "write": &p.Write, "env": &p.Env,
		"run": &p.Run, "ffi": &p.FFI, "sys": &p.Sys, "import": &p.Import,
	}
	for _, f := range fields {
		*lists[f.key] = r.list(join(path, f.key), f.value)
	}
}

func (r *configReader) fromDir(path string) string {
	if path == "" || filepath.IsAbs(path) || r.verbatim {
		return path
	}
	return filepath.Join(r.dir, path)
}
