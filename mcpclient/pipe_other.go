//go:build !unix

package mcpclient

import "syscall"

// tryWrite writes nothing: here nothing can be written without waiting.
func tryWrite(syscall.RawConn, []byte) (int, error) { return 0, nil }
