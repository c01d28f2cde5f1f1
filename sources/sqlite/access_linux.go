package sqlite

import (
	"os"
	"syscall"
)

// readable asks whether a file may be read without opening it: to close a file,
// whoever opened it, gives up every lock that the process holds on it, and a
// writer of ours, who may be at work, would lose his.
func readable(file string) error {
	const read = 4 // R_OK
	if err := syscall.Access(file, read); err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	return nil
}
