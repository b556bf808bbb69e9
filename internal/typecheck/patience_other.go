//go:build !linux

package typecheck

import "time"

// processorTime is not known here.
func processorTime(int) (used time.Duration, ok bool) { return 0, false }
