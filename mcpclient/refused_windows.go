package mcpclient

import "golang.org/x/sys/windows"

// connectionRefused is what connecting fails with where nobody listens. (On Windows
// syscall.ECONNREFUSED is a number that no call returns.)
const connectionRefused = windows.WSAECONNREFUSED
