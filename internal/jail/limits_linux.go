package jail

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func limit(pid int, l Limits) error {
	set := func(name string, resource int, soft, hard uint64) error {
		var old unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
			return fmt.Errorf("jail: %s: %w", name, err)
		}
		// What is lower already stays.
		limit := unix.Rlimit{Cur: min(soft, old.Max), Max: min(hard, old.Max)}
		if err := unix.Prlimit(pid, resource, &limit, nil); err != nil {
			return fmt.Errorf("jail: %s: %w", name, err)
		}
		return nil
	}
	if err := set("RLIMIT_CORE", unix.RLIMIT_CORE, 0, 0); err != nil {
		return err
	}
	if l.DataBytes > 0 {
		idle, err := dataBytes(pid)
		if err != nil {
			return fmt.Errorf("jail: idle memory: %w", err)
		}
		if err := set("RLIMIT_DATA", unix.RLIMIT_DATA, idle+l.DataBytes, idle+l.DataBytes); err != nil {
			return err
		}
	}
	if s := l.cpuSeconds(); s > 0 {
		if err := set("RLIMIT_CPU", unix.RLIMIT_CPU, s, s+1); err != nil {
			return err
		}
	}
	if l.FileBytes > 0 {
		if err := set("RLIMIT_FSIZE", unix.RLIMIT_FSIZE, l.FileBytes, l.FileBytes); err != nil {
			return err
		}
	}
	if l.OpenFiles > 0 {
		if err := set("RLIMIT_NOFILE", unix.RLIMIT_NOFILE, l.OpenFiles, l.OpenFiles); err != nil {
			return err
		}
	}
	return nil
}

// dataBytes is what RLIMIT_DATA is compared with.
func dataBytes(pid int) (uint64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "\nVmData:")
	fields := strings.Fields(rest)
	if len(fields) < 2 || fields[1] != "kB" {
		return 0, fmt.Errorf("process %d has no VmData: it has ended", pid)
	}
	kB, err := strconv.ParseUint(fields[0], 10, 64)
	return kB << 10, err
}

func ended(state *os.ProcessState, l Limits) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	switch status.Signal() {
	case syscall.SIGXCPU:
		return EndedByCPU
	case syscall.SIGXFSZ:
		return EndedByFileSize
	case syscall.SIGKILL:
		// The kernel decides by counting ticks and reports what it measured. On a busy
		// machine the two differ by a tenth or two.
		hard := time.Duration(l.cpuSeconds()+1) * time.Second
		if l.CPU > 0 && state.UserTime()+state.SystemTime() > hard*3/4 {
			return EndedByCPU
		}
	}
	return ""
}
