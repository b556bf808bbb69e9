// Package filelock keeps processes and goroutines from doing the same thing at the
// same time.
package filelock

import "context"

// Lock takes an exclusive lock on a file, which it makes if it is not there and
// leaves there. It waits until the lock is free or ctx ends. The lock ends with the
// process at the latest. Where the system has no such locks it keeps goroutines apart
// and not processes.
func Lock(ctx context.Context, path string) (unlock func(), err error) { return lock(ctx, path) }
