package provision

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	// packageRoot is the folder in which npm's archives hold everything.
	packageRoot = "package/"
	// maxFiles and maxBytes bound what an archive can put on the disk. The checksum
	// was right by then, so that these are against a pin that was set carelessly.
	maxFiles = 10_000
	maxBytes = 1 << 30
)

// unpack writes the files that the pin asks for into a new folder.
func (p Pin) unpack(ctx context.Context, archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: contextReader{ctx, unzipped}, N: maxBytes}
	members := tar.NewReader(limited)
	for files, found := 0, false; ; {
		header, err := members.Next()
		switch {
		case limited.N <= 0:
			return fmt.Errorf("the archive unpacks to more than %d bytes", maxBytes)
		case err == io.EOF && !found:
			return fmt.Errorf("the archive has no %s", packageRoot+p.File)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		name := strings.TrimPrefix(header.Name, packageRoot)
		if header.Typeflag != tar.TypeReg || !p.Whole && name != p.File {
			continue
		}
		if files++; files > maxFiles {
			return fmt.Errorf("the archive has more than %d files", maxFiles)
		}
		local := filepath.FromSlash(name)
		if !filepath.IsLocal(local) {
			return fmt.Errorf("the archive has a file outside of its folder, %q", header.Name)
		}
		mode := os.FileMode(0o644)
		if name == p.File {
			found, mode = true, 0o755
		}
		if err := writeFile(filepath.Join(dir, local), mode, members); err != nil {
			return err
		}
	}
}

func writeFile(path string, mode os.FileMode, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return errors.Join(err, out.Close())
}

// A contextReader fails when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
