package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// unlinkedBytes returns the size of the files of a folder's file system that a process
// has open and that have no name any more.
func unlinkedBytes(pid int, folder string) int64 {
	var root syscall.Stat_t
	if err := syscall.Stat(folder, &root); err != nil {
		return 0
	}
	open := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(open)
	if err != nil {
		return 0 // it has ended
	}
	var sum int64
	seen := map[uint64]bool{}
	for _, e := range entries {
		var file syscall.Stat_t
		err := syscall.Stat(filepath.Join(open, e.Name()), &file)
		if err == nil && file.Mode&syscall.S_IFMT == syscall.S_IFREG && file.Nlink == 0 && file.Dev == root.Dev && !seen[file.Ino] {
			seen[file.Ino] = true
			sum += file.Size
		}
	}
	return sum
}
