//go:build !linux

package postgres

import "syscall"

// setLowWater does nothing where the kernel cannot be told how many bytes to wait for.
func setLowWater(syscall.RawConn, int) bool { return false }
