package server

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// peerUser asks the kernel which user is at the other end.
func peerUser(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("asking for the peer: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, fmt.Errorf("asking for the peer: %w", err)
	}
	if credErr != nil {
		return 0, fmt.Errorf("asking for the peer: %w", credErr)
	}
	return cred.Uid, nil
}
