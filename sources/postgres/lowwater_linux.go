package postgres

import "syscall"

// setLowWater makes the kernel wake a reader only when n bytes are there.
func setLowWater(socket syscall.RawConn, n int) bool {
	var failure error
	err := socket.Control(func(fd uintptr) {
		failure = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
	})
	return err == nil && failure == nil
}
