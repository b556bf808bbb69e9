package typecheck

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	_ "embed"
)

// The files of a server's folder. Each project is a folder in it.
const (
	globalsFile = "globals.d.ts"
	denoFile    = "deno.d.ts"
	configFile  = "tsconfig.json"
	programFile = "program.ts"
	// packagesFile declares the packages for which there are no types.
	packagesFile = "packages.d.ts"
	// namedFolder holds the modules whose specifiers are no relative paths.
	namedFolder = "modules"
)

const (
	// maxProgram and maxModules bound the text of a check. A thousand tools have
	// about half a megabyte.
	maxProgram = 1 << 20
	maxModules = 32 << 20
	// maxImportable bounds the modules and packages of a program.
	maxImportable = 1000
)

var (
	//go:embed globals.d.ts
	globals []byte
	//go:embed deno.d.ts
	denoGlobals []byte
)

// A layout is a program laid out as the files of a project.
type layout struct {
	// key is the same for programs that differ in their own text only.
	key string
	// files are written to the disk, by slashed path in the project's folder.
	files map[string]string
	// program is the document that is not.
	program string
	// reads is the folder, if any, that the server has to be able to read.
	reads string
	// sources are the modules' texts by the name that they have in messages.
	sources map[string]string
	// specifiers are those of the modules.
	specifiers []string
}

// compilerOptions are as strict as a short program can bear. Implicit any is an error
// here because without that TypeScript takes `[]` for never[]; diagnose drops it.
func compilerOptions(paths map[string][]string) map[string]any {
	return map[string]any{
		"strict":                       true,
		"useUnknownInCatchVariables":   false,
		"noImplicitThis":               false,
		"strictPropertyInitialization": false,
		"target":                       "esnext",
		"module":                       "esnext",
		"moduleResolution":             "bundler",
		"moduleDetection":              "force",
		"lib":                          []string{"esnext"},
		"types":                        []string{},
		"paths":                        paths,
		"noEmit":                       true,
		"allowImportingTsExtensions":   true,
		"resolveJsonModule":            false,
		"skipLibCheck":                 true,
		"allowUnreachableCode":         true,
		"allowUnusedLabels":            true,
	}
}

func newLayout(p *Program) (*layout, error) {
	if len(p.Wrapped) > maxProgram {
		return nil, fmt.Errorf("typecheck: the program has %d bytes, at most %d are checked", len(p.Wrapped), maxProgram)
	}
	if len(p.Modules)+len(p.Packages) > maxImportable {
		return nil, fmt.Errorf("typecheck: the program has %d modules and packages, at most %d are checked", len(p.Modules)+len(p.Packages), maxImportable)
	}
	l := &layout{files: map[string]string{}, program: p.Wrapped, reads: p.PackageDir, sources: map[string]string{}}
	paths := map[string][]string{}
	total := 0
	for i, m := range p.Modules {
		if total += len(m.Source); total > maxModules {
			return nil, fmt.Errorf("typecheck: the modules have more than %d bytes", maxModules)
		}
		file := path.Clean(m.Specifier) + ".ts"
		if rest, relative := strings.CutPrefix(m.Specifier, "./"); !relative || file != rest+".ts" || !filepath.IsLocal(filepath.FromSlash(file)) || strings.ContainsAny(file, `\:*?"<>|`) {
			file = fmt.Sprintf("%s/%d.ts", namedFolder, i)
			paths[m.Specifier], paths[m.Specifier+".ts"] = []string{"./" + file}, []string{"./" + file}
		}
		l.files[file] = m.Source
		l.specifiers = append(l.specifiers, m.Specifier)
		l.sources[strings.TrimSuffix(file, ".ts")] = m.Source
	}
	var ambient strings.Builder
	for _, dependency := range p.Packages {
		if file := typesOf(dependency); file != "" {
			paths[dependency.Specifier] = []string{filepath.ToSlash(file)}
			continue
		}
		quoted, err := json.Marshal(dependency.Specifier)
		if err != nil {
			return nil, fmt.Errorf("typecheck: %w", err)
		}
		fmt.Fprintf(&ambient, "declare module %s;\n", quoted)
	}
	roots := []string{"../../" + globalsFile, packagesFile, programFile}
	if p.Deno {
		roots = append(roots, "../../"+denoFile)
	}
	config, err := json.Marshal(map[string]any{
		"compilerOptions": compilerOptions(paths),
		"files":           roots,
		"typeAcquisition": map[string]bool{"enable": false},
	})
	if err != nil {
		return nil, fmt.Errorf("typecheck: %w", err)
	}
	l.files[configFile], l.files[packagesFile] = string(config), ambient.String()

	h := sha256.New()
	fmt.Fprintf(h, "%q", p.PackageDir)
	for _, m := range p.Modules {
		fmt.Fprintf(h, "%q %d ", m.Specifier, len(m.Source))
		h.Write([]byte(m.Source))
	}
	h.Write(config)
	h.Write([]byte(ambient.String()))
	l.key = hex.EncodeToString(h.Sum(nil)[:12])
	return l, nil
}
