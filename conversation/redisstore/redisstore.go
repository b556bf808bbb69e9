// Package redisstore keeps records in Redis, for replicas that share their
// conversations. Importing it makes [conversation.Open] know redis://, rediss:// and
// unix:// URLs:
//
//	store, err := conversation.Open(ctx, "redis://user:password@localhost:6379/0")
//
// Redis 6.2 or newer, or what speaks its protocol and runs its scripts. What Redis
// forgets is forgotten: it has to persist (appendonly yes), and must not evict keys
// (maxmemory-policy noeviction) if conversations are to last.
package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/conductor/conductor/conversation"
)

func init() {
	open := func(ctx context.Context, url string) (conversation.Store, error) {
		s, err := Open(ctx, url)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	for _, scheme := range []string{"redis", "rediss", "unix"} {
		conversation.Register(scheme, open)
	}
}

// DefaultPrefix begins the names of all keys. The braces put them into one slot of a
// cluster, which the scripts need.
const DefaultPrefix = "{conductor}:"

// Options configure a [Store]. The zero value is useful.
type Options struct {
	// Prefix begins the names of all keys of the store, so that several may share a
	// database. With a cluster it needs a part in braces. Empty means
	// [DefaultPrefix].
	Prefix string
}

// A Store is a [conversation.Store] in Redis. Each record is a hash, and each kind has
// two sorted sets of its ids, one of them by the time of expiry, which Redis itself
// watches. A change is one script, so that no two replicas can overwrite each other,
// and one that is sent again because its answer was lost has no further effect.
type Store struct {
	client redis.UniversalClient
	prefix string
	own    bool
}

// New returns the store of a client, which stays the caller's to close. Options may be
// nil. The client should have ContextTimeoutEnabled, or contexts do not bound calls.
func New(client redis.UniversalClient, options *Options) *Store {
	s := &Store{client: client, prefix: DefaultPrefix}
	if options != nil && options.Prefix != "" {
		s.prefix = options.Prefix
	}
	return s
}

// Open connects to the Redis that a URL names, see [redis.ParseURL], and returns its
// store, which is to be closed.
func Open(ctx context.Context, url string) (*Store, error) {
	opts, err := redis.ParseURL(url)
	if err != nil {
		// Its words may have the password.
		return nil, errors.New("redis: the URL is wrong: want redis://user:password@host:port/database")
	}
	opts.ContextTimeoutEnabled = true
	s := New(redis.NewClient(opts), nil)
	s.own = true
	if err := s.client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("redis at %s: %w", opts.Addr, err), s.Close())
	}
	return s, nil
}

// Close ends the connections if [Open] has made them.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	if err := s.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// The scripts get the keys of the record and of the kind's two sets. A record has the
// fields v (version), t (a token of the save), u and e (when it was updated and when
// it expires, in milliseconds, e being 0 for never) and d (the data).

// saveScript stores a record. Arguments: the version that must be stored, the next
// one, token, u, e, data, id, the time now. It returns the version that is stored
// instead, or an empty text. It takes the opportunity to drop the ids of what has
// expired, a hundred at a time.
var saveScript = redis.NewScript(`
local stored = redis.call('HGET', KEYS[1], 'v') or '0'
if stored ~= ARGV[1] then
  if redis.call('HGET', KEYS[1], 't') == ARGV[3] then return '' end
  return stored
end
redis.call('HSET', KEYS[1], 'v', ARGV[2], 't', ARGV[3], 'u', ARGV[4], 'e', ARGV[5], 'd', ARGV[6])
redis.call('ZADD', KEYS[2], 0, ARGV[7])
if ARGV[5] == '0' then
  redis.call('PERSIST', KEYS[1])
  redis.call('ZREM', KEYS[3], ARGV[7])
else
  redis.call('PEXPIREAT', KEYS[1], ARGV[5])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[7])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[8], 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
end
return ''`)

// loadScript returns the fields v, u, e and d. Argument: how long d may be; one that is
// longer is left out.
var loadScript = redis.NewScript(`
local r = redis.call('HMGET', KEYS[1], 'v', 'u', 'e')
r[4] = false
if redis.call('HSTRLEN', KEYS[1], 'd') <= tonumber(ARGV[1]) then
  r[4] = redis.call('HGET', KEYS[1], 'd')
end
return r`)

// deleteScript deletes a record. Argument: its id.
var deleteScript = redis.NewScript(`
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return ''`)

func (s *Store) key(key conversation.Key) string { return s.prefix + key.Kind + ":" + key.ID }

// sets are the keys of a kind's ids. No record has such a key, since "_" is in no
// kind.
func (s *Store) sets(kind string) (ids, expiring string) {
	return s.prefix + "_ids:" + kind, s.prefix + "_expiring:" + kind
}

func (s *Store) keys(key conversation.Key) []string {
	ids, expiring := s.sets(key.Kind)
	return []string{s.key(key), ids, expiring}
}

// Load implements [conversation.Store].
func (s *Store) Load(ctx context.Context, key conversation.Key) (*conversation.Record, error) {
	if err := key.Check(); err != nil {
		return nil, err
	}
	values, err := loadScript.Run(ctx, s.client, []string{s.key(key)}, conversation.MaxData).Slice()
	if err != nil {
		return nil, fmt.Errorf("%v: redis: %w", key, err)
	}
	return decode(key, values)
}

// decode reads the fields v, u, e and, if it is there, d.
func decode(key conversation.Key, values []any) (*conversation.Record, error) {
	if values[0] == nil {
		return nil, fmt.Errorf("%v: %w", key, conversation.ErrNotFound)
	}
	var numbers [3]int64
	for i := range numbers {
		text, _ := values[i].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%v: the record in redis is %w: it has the version or time %.20q", key, conversation.ErrDamaged, text)
		}
		numbers[i] = n
	}
	r := &conversation.Record{Key: key, Version: numbers[0], Updated: time.UnixMilli(numbers[1]).UTC()}
	if numbers[2] > 0 {
		r.Expires = time.UnixMilli(numbers[2]).UTC()
		if !time.Now().Before(r.Expires) {
			return nil, fmt.Errorf("%v: %w", key, conversation.ErrNotFound)
		}
	}
	if len(values) > 3 {
		data, ok := values[3].(string)
		if !ok {
			return nil, fmt.Errorf("%v: the record in redis is %w: it has no data, or more than %d bytes", key, conversation.ErrDamaged, conversation.MaxData)
		}
		r.Data = []byte(data)
	}
	return r, nil
}

// Save implements [conversation.Store].
func (s *Store) Save(ctx context.Context, r *conversation.Record) error {
	if err := conversation.CheckRecord(r); err != nil {
		return err
	}
	now := time.Now()
	next := conversation.NextVersion(r.Version)
	expires := int64(0)
	if !r.Expires.IsZero() {
		expires = max(r.Expires.UnixMilli(), 1)
	}
	stored, err := saveScript.Run(ctx, s.client, s.keys(r.Key),
		r.Version, next, rand.Text(), now.UnixMilli(), expires, r.Data, r.Key.ID, now.UnixMilli()).Text()
	if err != nil {
		return fmt.Errorf("%v: redis: %w", r.Key, err)
	}
	if stored != "" {
		return fmt.Errorf("%v: %w: it has version %.20s, not %d", r.Key, conversation.ErrConflict, stored, r.Version)
	}
	r.Version, r.Updated = next, time.UnixMilli(now.UnixMilli()).UTC()
	if expires > 0 {
		r.Expires = time.UnixMilli(expires).UTC()
	}
	return nil
}

// Delete implements [conversation.Store].
func (s *Store) Delete(ctx context.Context, key conversation.Key) error {
	if err := key.Check(); err != nil {
		return err
	}
	if err := deleteScript.Run(ctx, s.client, s.keys(key), key.ID).Err(); err != nil {
		return fmt.Errorf("%v: redis: %w", key, err)
	}
	return nil
}

// List implements [conversation.Store]; the order is that of the ids' bytes.
func (s *Store) List(ctx context.Context, kind, cursor string, limit int) (*conversation.Page, error) {
	if err := conversation.CheckKind(kind); err != nil {
		return nil, err
	}
	limit = conversation.PageLimit(limit)
	ids, _ := s.sets(kind)
	page := &conversation.Page{}
	for {
		start := "-"
		if cursor != "" {
			start = "(" + cursor
		}
		// One more than fits tells whether there is another page.
		found, err := s.client.ZRangeByLex(ctx, ids, &redis.ZRangeBy{Min: start, Max: "+", Count: int64(limit + 1)}).Result()
		if err != nil {
			return nil, fmt.Errorf("listing %s: redis: %w", kind, err)
		}
		records, err := s.heads(ctx, kind, found)
		if err != nil {
			return nil, fmt.Errorf("listing %s: redis: %w", kind, err)
		}
		for i, r := range records {
			if r == nil {
				continue // expired, and not yet dropped, or damaged
			}
			if len(page.Records) == limit {
				page.Next = page.Records[limit-1].Key.ID
				return page, nil
			}
			page.Records = append(page.Records, *records[i])
		}
		if len(found) <= limit {
			return page, nil
		}
		cursor = found[len(found)-1]
	}
}

// heads loads records without their data, nil for those that are not there.
func (s *Store) heads(ctx context.Context, kind string, ids []string) ([]*conversation.Record, error) {
	records := make([]*conversation.Record, len(ids))
	if len(ids) == 0 {
		return records, nil
	}
	pipe := s.client.Pipeline()
	for _, id := range ids {
		pipe.HMGet(ctx, s.key(conversation.Key{Kind: kind, ID: id}), "v", "u", "e")
	}
	answers, err := pipe.Exec(ctx)
	if err != nil {
		return nil, err
	}
	for i, answer := range answers {
		values := answer.(*redis.SliceCmd).Val()
		if r, err := decode(conversation.Key{Kind: kind, ID: ids[i]}, values); err == nil {
			records[i] = r
		}
	}
	return records, nil
}
