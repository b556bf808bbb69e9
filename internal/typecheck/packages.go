package typecheck

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// TypeScript finds the types of a bare name by walking up from the importing file,
// which is not where packages are here, and of "npm:zod@3" not at all. So that part of
// its search is done here, and the result goes into the configuration as a path.

// maxManifest bounds the package.json that is read.
const maxManifest = 1 << 20

// A packageJSON is what decides where a package's types are.
type packageJSON struct {
	Types   string          `json:"types"`
	Typings string          `json:"typings"`
	Main    string          `json:"main"`
	Module  string          `json:"module"`
	Exports json.RawMessage `json:"exports"`
}

// typesOf returns the real path of the file with a package's types, "" if it has none.
func typesOf(p Package) string {
	if p.File != "" {
		return existing(p.File)
	}
	dir, err := filepath.EvalSymlinks(p.Dir)
	if err != nil {
		return ""
	}
	var manifest packageJSON
	if f, err := os.Open(filepath.Join(dir, "package.json")); err == nil {
		content, _ := io.ReadAll(io.LimitReader(f, maxManifest))
		f.Close()
		_ = json.Unmarshal(content, &manifest) // as good as no package.json
	}
	var candidates []string
	if len(manifest.Exports) > 0 {
		entry := "."
		if p.Path != "" {
			entry += "/" + p.Path
		}
		candidates = exported(manifest.Exports, entry)
	}
	if p.Path != "" {
		candidates = append(candidates, p.Path, p.Path+"/index")
	} else {
		candidates = append(candidates, manifest.Types, manifest.Typings, manifest.Main, manifest.Module, "index")
	}
	for _, c := range candidates {
		local := filepath.FromSlash(strings.TrimPrefix(c, "./"))
		if c == "" || !filepath.IsLocal(local) {
			continue
		}
		for _, name := range declarations(filepath.Join(dir, local)) {
			if found := existing(name); found != "" {
				return found
			}
		}
	}
	return ""
}

// declarations are the files in which the types of a module can be.
func declarations(file string) []string {
	for _, kind := range []struct{ source, types string }{{".js", ".d.ts"}, {".mjs", ".d.mts"}, {".cjs", ".d.cts"}} {
		if base, ok := strings.CutSuffix(file, kind.source); ok {
			return []string{base + kind.types}
		}
	}
	if strings.HasSuffix(file, ".ts") || strings.HasSuffix(file, ".mts") || strings.HasSuffix(file, ".cts") {
		return []string{file}
	}
	return []string{file + ".d.ts", file + ".d.mts", filepath.Join(file, "index.d.ts")}
}

func existing(file string) string {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return ""
	}
	if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return real
}

// exported returns the files that the exports of a package.json name for an entry, the
// likeliest first.
func exported(exports json.RawMessage, entry string) []string {
	var subpaths map[string]json.RawMessage
	if json.Unmarshal(exports, &subpaths) != nil || !hasSubpaths(subpaths) {
		if entry != "." {
			return nil
		}
		return targets(exports, "", 0)
	}
	if target, ok := subpaths[entry]; ok {
		return targets(target, "", 0)
	}
	best, matched := "", ""
	for pattern := range subpaths {
		before, after, star := strings.Cut(pattern, "*")
		if star && len(before) >= len(best) && len(entry) > len(before)+len(after) && strings.HasPrefix(entry, before) && strings.HasSuffix(entry, after) {
			best, matched = before, pattern
		}
	}
	if matched == "" {
		return nil
	}
	_, after, _ := strings.Cut(matched, "*")
	return targets(subpaths[matched], strings.TrimSuffix(strings.TrimPrefix(entry, best), after), 0)
}

func hasSubpaths(m map[string]json.RawMessage) bool {
	for key := range m {
		if strings.HasPrefix(key, ".") {
			return true
		}
	}
	return false
}

// conditions are those under which types are looked for, in the order of preference.
// The order in the file would count too, but types stand first there by convention.
var conditions = []string{"types", "deno", "import", "module", "node", "default", "require"}

// maxConditions bounds how deep conditions may be nested.
const maxConditions = 8

func targets(target json.RawMessage, star string, depth int) []string {
	if depth > maxConditions {
		return nil
	}
	var file string
	if json.Unmarshal(target, &file) == nil {
		return []string{strings.ReplaceAll(file, "*", star)}
	}
	var all []string
	var list []json.RawMessage
	if json.Unmarshal(target, &list) == nil {
		for _, t := range list {
			all = append(all, targets(t, star, depth+1)...)
		}
		return all
	}
	var byCondition map[string]json.RawMessage
	if json.Unmarshal(target, &byCondition) == nil {
		for _, c := range conditions {
			if t, ok := byCondition[c]; ok {
				all = append(all, targets(t, star, depth+1)...)
			}
		}
	}
	return all
}
