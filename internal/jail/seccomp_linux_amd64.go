package jail

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_X86_64
	// x32Bit marks the numbers of the x32 ABI (asm/unistd.h), which repeat all calls.
	x32Bit = 0x40000000
)

var (
	archForks      = []uint32{unix.SYS_FORK, unix.SYS_VFORK}
	archAttributes = []uint32{
		unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT,
	}
	archNever = []uint32{
		unix.SYS_INOTIFY_INIT, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USELIB,
		unix.SYS__SYSCTL, unix.SYS_SYSFS, unix.SYS_USTAT, unix.SYS_CREATE_MODULE, unix.SYS_QUERY_MODULE,
		unix.SYS_GET_KERNEL_SYMS,
	}
)
