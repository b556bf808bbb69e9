//go:build linux && (amd64 || arm64)

package jail

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The filter is a list of what is refused, see Documentation/userspace-api/
// seccomp_filter.rst. It is a second wall: what Deno needs is not ours to know
// exhaustively, what nobody in here has any business with is.
//
// One thing it must tell apart that looks the same: the fork by which Go starts the
// program, which happens on a thread that has the filter already, and a fork by the
// program; and likewise who makes a process group. The kernel ignores the upper half of clone's flags and of
// setpgid's group, and Go passes on what SysProcAttr says in them, so a random
// token there marks the calls that are ours. The program never sees it: an exec
// leaves nothing of the memory that held it, and whoever guesses wrong is killed.

const (
	allowed   = unix.SECCOMP_RET_ALLOW
	refused   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	absent    = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	pretended = unix.SECCOMP_RET_ERRNO // 0: done, says the kernel, and does nothing
	deadly    = unix.SECCOMP_RET_KILL_PROCESS

	newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

	pidfdThread = unix.O_EXCL // PIDFD_THREAD of linux/pidfd.h
	fioSetOwn   = 0x8901      // FIOSETOWN and SIOCSPGRP of asm/sockios.h
	siocSetPgrp = 0x8902
)

// never are refused under every policy.
var never = []uint32{
	// Other processes: their memory, files, priorities.
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
	unix.SYS_PROCESS_MRELEASE, unix.SYS_KCMP, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
	unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_SETPRIORITY, unix.SYS_IOPRIO_SET,
	unix.SYS_SCHED_SETSCHEDULER, unix.SYS_SCHED_SETPARAM, unix.SYS_SCHED_SETATTR,
	// The kernel's own programs and rings.
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	// Namespaces and mounts.
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOVE_MOUNT,
	unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_MOUNT_SETATTR, unix.SYS_STATMOUNT, unix.SYS_LISTMOUNT,
	unix.SYS_LISTNS,
	// The machine.
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_REBOOT, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_ACCT, unix.SYS_SYSLOG,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SETTIMEOFDAY,
	unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_VHANGUP, unix.SYS_NFSSERVCTL,
	unix.SYS_PERSONALITY, unix.SYS_LOOKUP_DCOOKIE,
	// Files by other ways than their path, and watching them: landlock sees neither.
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_INOTIFY_INIT1,
	// Channels to others that are neither file nor socket, and memory that
	// RLIMIT_DATA does not count.
	unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SHMCTL, unix.SYS_SEMGET, unix.SYS_SEMOP, unix.SYS_SEMCTL,
	unix.SYS_SEMTIMEDOP, unix.SYS_MSGGET, unix.SYS_MSGSND, unix.SYS_MSGRCV, unix.SYS_MSGCTL,
	unix.SYS_MQ_OPEN, unix.SYS_MQ_UNLINK, unix.SYS_MEMFD_SECRET,
}

// attributes change files without opening them.
var attributes = []uint32{
	unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWNAT, unix.SYS_UTIMENSAT,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_SETXATTRAT,
	unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_REMOVEXATTRAT,
	unix.SYS_FILE_SETATTR,
}

// newFilter assembles the filter of a policy. scoped says that landlock covers
// signals; pid and tid are those of the thread that is going to have it.
func newFilter(p Policy, token uint32, scoped bool, pid, tid int) []unix.SockFilter {
	f := &assembler{}
	f.refuse(never...)
	f.refuse(archNever...)

	// clone3 has its flags in memory, where a filter cannot look. C libraries take
	// ENOSYS for an old kernel and use clone.
	f.on(unix.SYS_CLONE3, absent)
	clone := []clause{
		{when: []cond{upper(0, token)}, then: allowed},
		{when: []cond{not(upper(0, 0))}, then: deadly},
		{when: []cond{anyBit(0, newNamespaces)}, then: refused},
	}
	if p.Processes {
		f.on(unix.SYS_CLONE, allowed, clone...)
	} else {
		clone = append(clone, clause{when: []cond{anyBit(0, unix.CLONE_THREAD)}, then: allowed})
		f.on(unix.SYS_CLONE, refused, clone...)
		f.refuse(archForks...)
		// Files without a name can be executed whatever landlock says of names.
		f.refuse(unix.SYS_EXECVEAT, unix.SYS_MEMFD_CREATE)
	}
	// Nothing leaves the group that is killed in the end.
	f.refuse(unix.SYS_SETSID)
	f.on(unix.SYS_SETPGID, refused, clause{when: []cond{upper(1, token)}, then: allowed})
	signals(f, p, scoped, uint32(pid), uint32(tid))

	// The order to die with the parent is not to be revoked.
	f.on(unix.SYS_PRCTL, allowed, clause{
		when: []cond{equal(0, unix.PR_SET_PDEATHSIG), not(equal(1, uint32(unix.SIGKILL)))}, then: refused})
	// The limits of others, the parent's among them. One's own can only be lowered.
	f.on(unix.SYS_PRLIMIT64, refused, clause{when: []cond{equal(0, 0)}, then: allowed})
	f.on(unix.SYS_SCHED_SETAFFINITY, refused, clause{when: []cond{equal(0, 0)}, then: allowed})

	if !p.Attributes {
		f.refuse(attributes...)
		f.refuse(archAttributes...)
		// Copying a file ends with fchmod of the copy: refusing it would refuse to
		// copy, allowing it would let an open system library be changed.
		f.on(unix.SYS_FCHMOD, pretended)
		f.on(unix.SYS_FCHOWN, pretended)
	}

	if p.Network {
		f.on(unix.SYS_SOCKET, refused,
			clause{when: []cond{equal(0, unix.AF_INET)}, then: allowed},
			clause{when: []cond{equal(0, unix.AF_INET6)}, then: allowed})
	} else {
		f.refuse(unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4)
	}
	// Streams only: one end of a pair of datagram sockets can be connected anew, to
	// any Unix socket of the host. The type has flags above its low four bits.
	f.on(unix.SYS_SOCKETPAIR, refused, clause{
		when: []cond{equal(0, unix.AF_UNIX), masked(1, 0xf, unix.SOCK_STREAM)}, then: allowed})
	// Typing into a terminal; naming another process to be signalled for a file.
	f.on(unix.SYS_IOCTL, allowed, oneOf(1, refused, unix.TIOCSTI, unix.TIOCLINUX, fioSetOwn, siocSetPgrp)...)
	f.on(unix.SYS_FCNTL, allowed, oneOf(1, refused, unix.F_SETOWN, unix.F_SETOWN_EX, unix.F_SETSIG, unix.F_NOTIFY)...)
	return f.assemble()
}

// signals adds the rules for signals. Landlock confines them to the program and
// what it starts, and to one thread that is neither: the one of this process that
// starts the program and has the same walls. A signal to that thread can be one to
// this process, so it is refused by number here. Where landlock does not cover
// signals all are refused.
//
// SIGURG, which nobody minds, always passes: Go's scheduler interrupts threads by
// it, in this process on the restricted thread as in a program written in Go.
func signals(f *assembler, p Policy, scoped bool, pid, tid uint32) {
	host := func(args ...int) (found []clause) {
		for _, arg := range args {
			found = append(found, oneOf(arg, refused, pid, tid)...)
		}
		return found
	}
	f.on(unix.SYS_PIDFD_OPEN, allowed, clause{when: []cond{anyBit(1, pidfdThread)}, then: refused})
	thread := uint32(allowed)
	if !p.Processes {
		f.refuse(unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO)
		if !scoped {
			thread = refused
		}
	} else {
		f.on(unix.SYS_KILL, allowed, host(0)...)
		f.on(unix.SYS_TKILL, allowed, host(0)...)
		f.on(unix.SYS_RT_SIGQUEUEINFO, allowed, host(0)...)
		f.on(unix.SYS_RT_TGSIGQUEUEINFO, allowed, host(0, 1)...)
	}
	urgent := clause{when: []cond{equal(2, uint32(unix.SIGURG))}, then: allowed}
	f.on(unix.SYS_TGKILL, thread, append([]clause{urgent}, host(0, 1)...)...)
}

// installFilter puts the filter on the calling thread.
func installFilter(filter []unix.SockFilter) error {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}
