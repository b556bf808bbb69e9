package jail

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights on files, from Documentation/userspace-api/landlock.rst.
const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	readDir  = unix.LANDLOCK_ACCESS_FS_READ_DIR
	execute  = unix.LANDLOCK_ACCESS_FS_EXECUTE

	readRights = readFile | readDir
	execRights = readRights | execute
	// Not MAKE_CHAR, MAKE_BLOCK, MAKE_SOCK, MAKE_FIFO: nobody who later reads a
	// folder that a program wrote expects them. Not EXECUTE, not IOCTL_DEV.
	writeRights = readRights | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER

	// fileRights are those that a rule for something other than a folder may have.
	fileRights = execute | readFile | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// networkFiles are what a C library reads to resolve names.
var networkFiles = []string{
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
}

// handledFS are all the rights that the ABI knows: what is handled and not granted
// is refused.
func handledFS(abi int) uint64 {
	rights := uint64(1<<13 - 1) // EXECUTE to MAKE_SYM
	if abi >= 2 {
		rights |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		rights |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 5 {
		rights |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return rights
}

// landlockABI asks the kernel for its version of landlock, and whether a thread
// that may signal nobody outside may still signal the other threads of its process
// (erratum 2), as Go's scheduler has to.
func landlockABI() (abi int, threadSignals bool, err error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, false, errno
	}
	errata, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_ERRATA)
	return int(version), errno == 0 && errata&2 != 0, nil
}

// newRuleset makes the landlock ruleset of the policy.
func newRuleset(p Policy, r Report) (fd int, err error) {
	attr := unix.LandlockRulesetAttr{Access_fs: handledFS(r.LandlockABI)}
	if r.LandlockABI >= 4 && !p.Network {
		attr.Access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if r.LandlockABI >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
		if r.SignalScope {
			attr.Scoped |= unix.LANDLOCK_SCOPE_SIGNAL
		}
	}
	// A kernel that knows fewer fields takes the longer struct if the rest is zero.
	got, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return -1, fmt.Errorf("landlock ruleset: %w", errno)
	}
	fd = int(got)
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	for _, grant := range []struct {
		paths  []string
		rights uint64
	}{{p.Exec, execRights}, {p.Read, readRights}, {p.Write, writeRights}} {
		for _, path := range grant.paths {
			if err := allow(fd, path, grant.rights&attr.Access_fs); err != nil {
				return -1, err
			}
		}
	}
	// The files that os/exec opens in place of an input or output that is not set.
	optional := []string{os.DevNull}
	if p.Network {
		optional = append(optional, networkFiles...)
	}
	for _, path := range optional {
		rights := uint64(readFile)
		if path == os.DevNull {
			rights |= unix.LANDLOCK_ACCESS_FS_WRITE_FILE
		}
		if err := allow(fd, path, rights); err != nil && !errors.Is(err, os.ErrNotExist) {
			return -1, err
		}
	}
	return fd, nil
}

// allow adds a rule to the ruleset.
func allow(ruleset int, path string, rights uint64) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("path %q of the policy is not absolute", path)
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("path of the policy: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("path %s of the policy: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= fileRights
	} else if root, err := isRoot(&stat); err != nil {
		return err
	} else if root {
		return allowRoot(ruleset, rights)
	} else if err := notProc(fd, path); err != nil {
		return err
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("landlock rule for %s: %w", path, errno)
	}
	return nil
}

func isRoot(stat *unix.Stat_t) (bool, error) {
	var root unix.Stat_t
	if err := unix.Stat("/", &root); err != nil {
		return false, fmt.Errorf("/: %w", err)
	}
	return stat.Dev == root.Dev && stat.Ino == root.Ino, nil
}

// notProc refuses folders of /proc. The thread from which the program is started
// has the same walls as the program, so they do not part the two: through
// /proc/PID/task/TID/mem it would reach the memory of this process.
func notProc(fd int, path string) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return fmt.Errorf("path %s of the policy: %w", path, err)
	}
	if int64(fs.Type) == unix.PROC_SUPER_MAGIC {
		return fmt.Errorf("path %s of the policy opens the processes of the host", path)
	}
	return nil
}

// allowRoot grants everything in / but /proc: landlock cannot take back below what
// it has granted above.
func allowRoot(ruleset int, rights uint64) error {
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := "/" + e.Name()
		if e.Type()&os.ModeSymlink != 0 || path == "/proc" {
			continue // what a link leads to is granted by its own name
		}
		if err := allow(ruleset, path, rights); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func restrictSelf(ruleset int) error {
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	return nil
}
