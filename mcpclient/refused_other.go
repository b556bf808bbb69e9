//go:build !windows

package mcpclient

import "syscall"

// connectionRefused is what connecting fails with where nobody listens.
const connectionRefused = syscall.ECONNREFUSED
