package typecheck

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime returns what a process has used of all processors, as far as the system
// tells.
func processorTime(pid int) (used time.Duration, ok bool) {
	// The clock of another process, as clock_getcpuclockid(3) makes its id.
	const schedClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
