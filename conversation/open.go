package conversation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// An OpenFunc opens the store that a URL names. The URL may hold a password, which no
// error may repeat. A store that has to be closed is an [io.Closer].
type OpenFunc func(ctx context.Context, url string) (Store, error)

var openers struct {
	sync.Mutex
	byScheme map[string]OpenFunc
}

// Register makes [Open] know the URLs that begin with "scheme://". Packages of stores
// call it when they are imported; of two for a scheme the later one counts.
func Register(scheme string, open OpenFunc) {
	openers.Lock()
	defer openers.Unlock()
	if openers.byScheme == nil {
		openers.byScheme = map[string]OpenFunc{}
	}
	openers.byScheme[scheme] = open
}

// Open opens the store at a location: the path of a folder, see [OpenFolder], or a URL
// with a scheme that was registered, such as redis://localhost:6379/0 where package
// redisstore is imported. A store that is an [io.Closer] is the caller's to close.
func Open(ctx context.Context, location string) (Store, error) {
	scheme, _, isURL := strings.Cut(location, "://")
	if !isURL {
		if location == "" {
			return nil, fmt.Errorf("a store needs the path of a folder, or a URL")
		}
		return OpenFolder(location)
	}
	openers.Lock()
	open := openers.byScheme[scheme]
	var known []string
	for s := range openers.byScheme {
		known = append(known, s+"://")
	}
	openers.Unlock()
	if open == nil {
		slices.Sort(known)
		return nil, fmt.Errorf("there is no store for %.20q URLs in this program: give the path of a folder, or one of %q (redis:// needs the package conversation/redisstore)", scheme, known)
	}
	return open(ctx, location)
}
