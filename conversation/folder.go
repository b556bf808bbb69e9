package conversation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/conductor/conductor/internal/filelock"
)

// Folder is a [Store] in a folder: one file a record, which is replaced as a whole
// and synced with its folder before Save returns. Several processes may use one
// folder; file locks keep them apart, so the file system has to have locks that work
// (most network file systems do not). On Windows one process may use a folder at a
// time.
//
// The files are named by a readable part of the id and its SHA-256, below a folder
// for the kind and one of 256 for the hash, in which there is a lock as well. A file
// carries its key and a checksum. One that was damaged is never overwritten: Load and
// Save return [ErrDamaged] with its path, until it is deleted or repaired, and List
// passes over it. What has expired is removed now and then, when a record beside it is
// made.
type Folder struct {
	dir string

	mu     sync.Mutex
	shards map[string]*shard // by path, at most 256 a kind
}

// A shard is one of the folders in which files are.
type shard struct {
	slot  chan struct{} // full while a goroutine of this process has the lock
	swept time.Time     // guarded by slot
}

// The names in a shard: a record's file, the one that will replace it, and the lock.
// Only who holds the lock writes, so that what a process left when it was killed is
// the next one's to overwrite.
const (
	recordSuffix = ".record"
	newSuffix    = ".new"
	lockFile     = "lock"
)

// shardName is the beginning of the hashes in a shard. Systems and people leave other
// files beside.
var shardName = regexp.MustCompile(`^[0-9a-f]{2}$`)

// sweepEvery is how often a shard is looked through for what has expired.
const sweepEvery = time.Hour

// OpenFolder returns the store in a folder, which it makes if it is not there,
// readable for its owner only.
func OpenFolder(dir string) (*Folder, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("conversations in %q: %w", dir, err)
	}
	if err := os.MkdirAll(absolute, 0o700); err != nil {
		return nil, fmt.Errorf("conversations in %q: %w", dir, err)
	}
	return &Folder{dir: absolute, shards: map[string]*shard{}}, nil
}

// Load implements [Store].
func (f *Folder) Load(ctx context.Context, key Key) (*Record, error) {
	if err := check(ctx, key); err != nil {
		return nil, err
	}
	r, err := readRecord(f.path(key), key)
	if err != nil {
		return nil, err
	}
	if expired(r.Expires) {
		return nil, fmt.Errorf("%v: %w", key, ErrNotFound)
	}
	return r, nil
}

// Save implements [Store].
func (f *Folder) Save(ctx context.Context, r *Record) error {
	if err := CheckRecord(r); err != nil {
		return err
	}
	path := f.path(r.Key)
	if err := makeFolders(filepath.Dir(path), f.dir); err != nil {
		return fmt.Errorf("%v: %w", r.Key, err)
	}
	shard, unlock, err := f.lock(ctx, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%v: %w", r.Key, err)
	}
	defer unlock()
	var stored int64
	switch old, err := readRecord(path, r.Key); {
	case errors.Is(err, ErrNotFound):
		shard.sweep(filepath.Dir(path))
	case err != nil:
		return err
	case !expired(old.Expires):
		stored = old.Version
	}
	if stored != r.Version {
		return conflict(r, stored)
	}
	next := *r
	saved(&next, stored)
	if err := replace(path, encodeRecord(&next)); err != nil {
		return fmt.Errorf("%v: %w", r.Key, err)
	}
	next.Data = r.Data
	*r = next
	return nil
}

// Delete implements [Store].
func (f *Folder) Delete(ctx context.Context, key Key) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	path := f.path(key)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, unlock, err := f.lock(ctx, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%v: %w", key, err)
	}
	defer unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%v: %w", key, err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%v: %w", key, err)
	}
	return nil
}

// List implements [Store]; the order is that of the files, and the cursor is one.
func (f *Folder) List(ctx context.Context, kind, cursor string, limit int) (*Page, error) {
	if err := CheckKind(kind); err != nil {
		return nil, err
	}
	limit = PageLimit(limit)
	page := &Page{}
	after, _, _ := strings.Cut(cursor, "/")
	shards, err := names(filepath.Join(f.dir, kind), func(name string) bool { return shardName.MatchString(name) && name >= after })
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", kind, err)
	}
	last := ""
	for _, shard := range shards {
		files, err := names(filepath.Join(f.dir, kind, shard), func(name string) bool {
			return strings.HasSuffix(name, recordSuffix) && shard+"/"+name > cursor
		})
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", kind, err)
		}
		for _, file := range files {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("listing %s: %w", kind, err)
			}
			if len(page.Records) == limit {
				page.Next = last
				return page, nil
			}
			last = shard + "/" + file
			r, err := readRecord(filepath.Join(f.dir, kind, shard, file), Key{Kind: kind})
			switch {
			case errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrFormat):
				continue
			case err != nil:
				return nil, fmt.Errorf("listing %s: %w", kind, err)
			}
			if !expired(r.Expires) {
				r.Data = nil
				page.Records = append(page.Records, *r)
			}
		}
	}
	return page, nil
}

// path returns the file of a record.
func (f *Folder) path(key Key) string {
	sum := sha256.Sum256([]byte(key.ID))
	hash := hex.EncodeToString(sum[:])
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A' // the same file where case does not count
		}
		return '-'
	}, key.ID[:min(len(key.ID), 40)])
	return filepath.Join(f.dir, key.Kind, hash[:2], readable+"."+hash+recordSuffix)
}

// lock takes the lock of a shard's folder, which is there.
func (f *Folder) lock(ctx context.Context, dir string) (*shard, func(), error) {
	f.mu.Lock()
	s := f.shards[dir]
	if s == nil {
		s = &shard{slot: make(chan struct{}, 1)}
		f.shards[dir] = s
	}
	f.mu.Unlock()
	select {
	case s.slot <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	unlock, err := filelock.Lock(ctx, filepath.Join(dir, lockFile))
	if err == nil && ctx.Err() != nil {
		unlock()
		err = ctx.Err()
	}
	if err != nil {
		<-s.slot
		return nil, nil, err
	}
	return s, func() { unlock(); <-s.slot }, nil
}

// sweep removes what has expired. It is done for room, so that what cannot be removed
// is the business of whoever wants to use it.
func (s *shard) sweep(dir string) {
	if time.Since(s.swept) < sweepEvery {
		return
	}
	s.swept = time.Now()
	files, err := names(dir, func(name string) bool { return strings.HasSuffix(name, recordSuffix) })
	if err != nil {
		return
	}
	for _, file := range files {
		if r, err := readRecord(filepath.Join(dir, file), Key{}); err == nil && expired(r.Expires) {
			_ = os.Remove(filepath.Join(dir, file))
		}
	}
}

// names returns the sorted names in a folder, none if it is not there.
func names(dir string, want func(string) bool) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(name string) bool { return !want(name) })
	slices.Sort(all)
	return all, nil
}

// magic begins every file. The rest of its line is the checksum of what follows.
const magic = "conductor record 1 "

// A header is the second line of a file. The data follows it.
type header struct {
	Kind    string    `json:"kind"`
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Updated time.Time `json:"updated"`
	Expires time.Time `json:"expires,omitzero"`
}

func encodeRecord(r *Record) []byte {
	line, _ := json.Marshal(header{r.Key.Kind, r.Key.ID, r.Version, r.Updated, r.Expires}) // text and times of this century
	body := slices.Concat(line, []byte("\n"), r.Data)
	sum := sha256.Sum256(body)
	return slices.Concat([]byte(magic+hex.EncodeToString(sum[:])+"\n"), body)
}

// maxHeader is more than the first two lines have.
const maxHeader = 4 << 10

// readRecord reads a file. Its key must be the given one, if that has an id.
func readRecord(path string, key Key) (*Record, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%v: %w", key, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", key, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxData+maxHeader+1))
	if err != nil {
		return nil, fmt.Errorf("%v: %w", key, err)
	}
	r, err := decodeFile(data)
	if err == nil && key.ID != "" && r.Key != key {
		err = fmt.Errorf("%w: it is that of %v", ErrDamaged, r.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: the file %s is %w", key, path, err)
	}
	return r, nil
}

// decodeFile reads what encodeRecord has written, or anything else.
func decodeFile(data []byte) (*Record, error) {
	first, body, ok := bytes.Cut(data, []byte("\n"))
	sum, known := bytes.CutPrefix(first, []byte(magic))
	switch want := sha256.Sum256(body); {
	case ok && !known && bytes.HasPrefix(first, []byte("conductor record ")):
		return nil, fmt.Errorf("in an %w: a newer version of Conductor has written it", ErrFormat)
	case !ok || !known || len(data) > MaxData+maxHeader || string(sum) != hex.EncodeToString(want[:]):
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	line, content, _ := bytes.Cut(body, []byte("\n"))
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r := &Record{Key: Key{h.Kind, h.ID}, Version: h.Version, Updated: h.Updated, Expires: h.Expires, Data: content}
	if r.Version <= 0 {
		return nil, fmt.Errorf("%w: it has the version %d", ErrDamaged, r.Version)
	}
	if err := CheckRecord(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return r, nil
}

// replace puts a file in place of another, such that after a crash there is one of
// them, whole.
func replace(path string, data []byte) error {
	file, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path+newSuffix))
	}
	if err := os.Rename(path+newSuffix, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// makeFolders makes a folder below one that is there, and what lies between, such
// that they are still there after a crash.
func makeFolders(dir, below string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if dir != below {
		if err := makeFolders(parent, below); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(parent)
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
