//go:build unix

package mcpclient

import "syscall"

// tryWrite writes as much as a pipe takes without waiting, which may be nothing. The file
// must be one that Go has in non-blocking mode.
func tryWrite(c syscall.RawConn, b []byte) (n int, err error) {
	closed := c.Write(func(fd uintptr) bool {
		for {
			if n, err = syscall.Write(int(fd), b); err != syscall.EINTR {
				return true
			}
		}
	})
	switch {
	case closed != nil:
		return 0, closed
	case err == syscall.EAGAIN:
		return 0, nil
	case err != nil:
		return 0, err
	}
	return n, nil
}
