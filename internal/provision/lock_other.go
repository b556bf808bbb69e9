//go:build !unix

package provision

import "context"

// lockFile does nothing where there is no flock: two processes may then both
// fetch, and the rename into place decides.
func lockFile(context.Context, string) (func(), error) { return func() {}, nil }
