package deps_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A registry is an npm and a JSR registry in this process. It plays the attacker.
type registry struct {
	*httptest.Server

	mu       sync.Mutex
	packages map[string]map[string]*published // name → version
	hits     map[string]int                   // path → requests
	// handle may answer a request instead; it says whether it did.
	handle func(w http.ResponseWriter, r *http.Request) bool
}

// published is one version of a package. Files of an npm package are by path under
// package/, those of a JSR package by path from the root.
type published struct {
	files     map[string]string
	fields    map[string]any // of package.json; of JSR: exports
	when      time.Time
	tarball   []byte // served instead of the packed files
	integrity string // announced instead of the true one
	entries   []tar.Header
}

func newRegistry(t testing.TB) *registry {
	t.Helper()
	r := &registry{packages: map[string]map[string]*published{}, hits: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// env points Deno at the registry.
func (r *registry) env() []string {
	return []string{"NPM_CONFIG_REGISTRY=" + r.URL + "/npm/", "JSR_URL=" + r.URL + "/jsr/"}
}

// add publishes an npm package; name@version.
func (r *registry) add(id string, fields map[string]any, files map[string]string) *published {
	return r.publish("npm", id, fields, files)
}

// addJSR publishes a JSR package; @scope/name@version.
func (r *registry) addJSR(id string, exports map[string]any, files map[string]string) *published {
	return r.publish("jsr", id, exports, files)
}

func (r *registry) publish(kind, id string, fields map[string]any, files map[string]string) *published {
	at := strings.LastIndexByte(id, '@')
	name, version := kind+"/"+id[:at], id[at+1:]
	p := &published{files: files, fields: map[string]any{}, when: time.Now().Add(-1000 * time.Hour)}
	maps.Copy(p.fields, fields)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.packages[name] == nil {
		r.packages[name] = map[string]*published{}
	}
	r.packages[name][version] = p
	return p
}

// count returns the requests whose path contains the text.
func (r *registry) count(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for path, hits := range r.hits {
		if strings.Contains(path, text) {
			n += hits
		}
	}
	return n
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.hits[req.URL.Path]++
	handle := r.handle
	r.mu.Unlock()
	if handle != nil && handle(w, req) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.TrimPrefix(req.URL.Path, "/")
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		rest, ok := strings.CutPrefix(path, name)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		bare := strings.SplitN(name, "/", 2)[1]
		if strings.HasPrefix(name, "npm/") {
			r.serveNPM(w, bare, r.packages[name], rest)
		} else {
			r.serveJSR(w, bare, r.packages[name], rest)
		}
		return
	}
	http.NotFound(w, req)
}

func (r *registry) serveNPM(w http.ResponseWriter, name string, versions map[string]*published, rest string) {
	if rest == "" {
		all, times, latest := map[string]any{}, map[string]string{}, ""
		for _, version := range slices.Sorted(maps.Keys(versions)) {
			p, latest0 := versions[version], version
			latest = latest0
			data := p.pack(name, version)
			sum1, sum512 := sha1.Sum(data), sha512.Sum512(data)
			dist := map[string]any{
				"tarball":   fmt.Sprintf("%s/npm/%s/-/%s.tgz", r.URL, name, version),
				"shasum":    hex.EncodeToString(sum1[:]),
				"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum512[:]),
			}
			if p.integrity != "" {
				dist["integrity"] = p.integrity
			}
			entry := map[string]any{"name": name, "version": version, "dist": dist}
			for key, value := range p.fields {
				entry[key] = value
			}
			if scripts, ok := p.fields["scripts"].(map[string]any); ok && scripts["postinstall"] != nil {
				entry["hasInstallScript"] = true
			}
			all[version] = entry
			times[version] = p.when.UTC().Format(time.RFC3339)
		}
		writeJSON(w, map[string]any{"name": name, "dist-tags": map[string]string{"latest": latest}, "versions": all, "time": times})
		return
	}
	version := strings.TrimSuffix(strings.TrimPrefix(rest, "/-/"), ".tgz")
	p := versions[version]
	if p == nil {
		http.Error(w, "no such version", http.StatusNotFound)
		return
	}
	if p.tarball != nil {
		_, _ = w.Write(p.tarball)
		return
	}
	_, _ = w.Write(p.pack(name, version))
}

func (r *registry) serveJSR(w http.ResponseWriter, name string, versions map[string]*published, rest string) {
	if rest == "/meta.json" {
		all, latest := map[string]any{}, ""
		for _, version := range slices.Sorted(maps.Keys(versions)) {
			all[version], latest = map[string]any{"createdAt": versions[version].when.UTC().Format(time.RFC3339)}, version
		}
		scope, short, _ := strings.Cut(strings.TrimPrefix(name, "@"), "/")
		writeJSON(w, map[string]any{"scope": scope, "name": short, "latest": latest, "versions": all})
		return
	}
	if version, ok := strings.CutSuffix(strings.TrimPrefix(rest, "/"), "_meta.json"); ok && versions[version] != nil {
		manifest := map[string]any{}
		for path, text := range versions[version].files {
			sum := sha256.Sum256([]byte(text))
			manifest[path] = map[string]any{"size": len(text), "checksum": "sha256-" + hex.EncodeToString(sum[:])}
		}
		writeJSON(w, map[string]any{"manifest": manifest, "exports": versions[version].fields})
		return
	}
	for version, p := range versions {
		if text, ok := p.files[strings.TrimPrefix(rest, "/"+version)]; ok {
			w.Header().Set("Content-Type", "application/typescript")
			if p.tarball != nil { // the attacker's other bytes
				text = string(p.tarball)
			}
			_, _ = w.Write([]byte(text))
			return
		}
	}
	http.Error(w, "no such file", http.StatusNotFound)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// pack makes the tarball: package.json, the files in order, then extra entries.
func (p *published) pack(name, version string) []byte {
	manifest := map[string]any{"name": name, "version": version}
	maps.Copy(manifest, p.fields)
	text, _ := json.Marshal(manifest)
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	write := func(path, text string) {
		_ = archive.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg})
		_, _ = archive.Write([]byte(text))
	}
	write("package/package.json", string(text))
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		write("package/"+path, p.files[path])
	}
	for _, header := range p.entries {
		_ = archive.WriteHeader(&header)
		_, _ = archive.Write(make([]byte, header.Size))
	}
	_ = archive.Close()
	_ = zipped.Close()
	return out.Bytes()
}
