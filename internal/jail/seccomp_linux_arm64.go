package jail

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_AARCH64
	x32Bit    = 0
)

// The architecture has none of the old calls.
var archForks, archAttributes, archNever []uint32
