package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

const (
	maxCacheBytes = 512 << 20 // of the files of all models
	maxVectorDims = 16_384
	sweepEvery    = 2000 // vectors stored between two looks at the size of the folder
	cacheMagic    = "CVE1"
)

// A vectorCache keeps vectors in a folder: one file for each text, in a folder for
// each model, named by hashes. Processes may share it. A file that is missing or
// damaged is one that has to be made again; nothing that goes wrong with the folder is
// an error of a search.
type vectorCache struct {
	root, dir string
	stored    atomic.Int64
}

// newVectorCache makes the folder.
func newVectorCache(root, model string) (*vectorCache, error) {
	if model == "" {
		return nil, errors.New("a cache of embeddings needs the name of the model")
	}
	sum := sha256.Sum256([]byte(model))
	c := &vectorCache{root: root, dir: filepath.Join(root, hex.EncodeToString(sum[:8]))}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache of embeddings: %w", err)
	}
	return c, nil
}

func (c *vectorCache) path(text string) string {
	sum := sha256.Sum256([]byte(text))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(c.dir, name[:2], name[2:])
}

// get returns the vector of a text, or nil. With dims > 0 it must have so many
// dimensions.
func (c *vectorCache) get(text string, dims int) []float32 {
	path := c.path(text)
	info, err := os.Stat(path)
	if err != nil || info.Size() > 4*maxVectorDims+16 {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	vec := decodeVector(data)
	if vec == nil || dims > 0 && len(vec) != dims {
		return nil
	}
	if now := time.Now(); now.Sub(info.ModTime()) > 24*time.Hour {
		_ = os.Chtimes(path, now, now) // the oldest are swept first
	}
	return vec
}

// put stores a vector. Whoever reads meanwhile sees the old file or the new one.
func (c *vectorCache) put(text string, vec []float32) {
	path := c.path(text)
	if len(vec) > maxVectorDims || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return
	}
	_, err = f.Write(encodeVector(vec))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return
	}
	if c.stored.Add(1)%sweepEvery == 1 {
		c.sweep(maxCacheBytes)
	}
}

// sweep removes the files that were unused the longest until the rest is small enough.
func (c *vectorCache) sweep(most int64) {
	type file struct {
		path string
		used time.Time
		size int64
	}
	var files []file
	var total int64
	_ = filepath.WalkDir(c.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			files = append(files, file{path, info.ModTime(), info.Size()})
			total += info.Size()
		}
		return nil
	})
	if total <= most {
		return
	}
	slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	for _, f := range files {
		if total <= most*3/4 { // with room for a while
			break
		}
		if os.Remove(f.path) == nil {
			total -= f.size
		}
	}
}

// encodeVector returns "CVE1", the numbers, and the CRC-32 of all that.
func encodeVector(vec []float32) []byte {
	b := append(make([]byte, 0, 4*len(vec)+8), cacheMagic...)
	for _, v := range vec {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// decodeVector returns nil for what encodeVector has not written.
func decodeVector(b []byte) []float32 {
	n := len(b) - len(cacheMagic) - 4
	if n <= 0 || n%4 != 0 || !bytes.HasPrefix(b, []byte(cacheMagic)) ||
		binary.LittleEndian.Uint32(b[len(b)-4:]) != crc32.ChecksumIEEE(b[:len(b)-4]) {
		return nil
	}
	vec := make([]float32, n/4)
	for i := range vec {
		vec[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[len(cacheMagic)+4*i:]))
	}
	if v, err := unit(vec); err == nil {
		return v
	}
	return nil
}
