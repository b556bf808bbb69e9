package jail

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// runtimeFiles are read by C libraries and language runtimes at their start, where
// they exist.
var runtimeFiles = []string{
	"/etc/ld.so.cache",
	"/dev/urandom",
	"/sys/devices/system/cpu/online",
	"/usr/share/zoneinfo",
}

// libraryFolders are where distributions keep shared libraries, the narrowest
// first: Debian's folder of the architecture, Fedora's of the word size, the rest.
func libraryFolders() []string {
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	var folders []string
	for _, folder := range []string{"/lib/" + triplet, "/usr/lib/" + triplet, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"} {
		if real, err := filepath.EvalSymlinks(folder); err == nil && !slices.Contains(folders, real) {
			folders = append(folders, real)
		}
	}
	return folders
}

func runtimePolicy(executable string) (Policy, error) {
	path, err := filepath.Abs(executable)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("jail: %w", err)
	}
	p := Policy{Exec: []string{path}}
	for _, file := range runtimeFiles {
		if _, err := os.Stat(file); err == nil {
			p.Read = append(p.Read, file)
		}
	}
	file, err := elf.Open(path)
	if err != nil {
		return Policy{}, fmt.Errorf("jail: %s: %w", path, err)
	}
	defer file.Close()
	for _, section := range file.Progs {
		if section.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, section.Filesz)
		if _, err := section.ReadAt(name, 0); err != nil {
			return Policy{}, fmt.Errorf("jail: program loader of %s: %w", path, err)
		}
		// Both the folder that its name is in and the file are needed: it is a link.
		p.Exec = append(p.Exec, strings.TrimRight(string(name), "\x00"))
	}
	needed, err := file.ImportedLibraries()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return Policy{}, fmt.Errorf("jail: libraries of %s: %w", path, err)
	}
	p.Read = append(p.Read, foldersOf(needed)...)
	return p, nil
}

// foldersOf returns the folders that hold the libraries. If one is found nowhere
// the loader knows more folders than this does, and they all have to do.
func foldersOf(libraries []string) []string {
	var used []string
	all := libraryFolders()
	for _, library := range libraries {
		at := slices.IndexFunc(all, func(folder string) bool {
			_, err := os.Stat(filepath.Join(folder, library))
			return err == nil
		})
		if at < 0 {
			return all
		}
		if !slices.Contains(used, all[at]) {
			used = append(used, all[at])
		}
	}
	return used
}
