package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"plumbline/sources"
)

const (
	bufferSize = 512 << 10
	// bulk is how many bytes the kernel gathers before it wakes us while a page
	// streams in. The server sends 8 KiB at a time; waking for each costs more
	// than all else we do with them.
	bulk = 256 << 10
	// patience bounds how long gathered bytes wait for more.
	patience = 5 * time.Millisecond
	// keepable is the largest part of a key of a record that is too large to read.
	keepable = 1 << 20
	// smallColumn is kept of any record: the flags behind its fields are.
	smallColumn = 8
)

// wire reads the server's messages from a connection that pgconn has set up.
type wire struct {
	net    net.Conn
	socket syscall.RawConn // nil where there is none to tune
	low    int             // what the kernel gathers now
	buf    []byte
	r, w   int
	until  atomic.Int64 // once set: when to give up reading, in Unix nanoseconds

	// What is expected to come: so the kernel never gathers for bytes that will not.
	rows, rowBytes, expect int
}

func newWire(c net.Conn) *wire {
	w := &wire{net: c, buf: make([]byte, bufferSize), low: 1}
	if secured, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secured.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil { // without it we are merely slower
			w.socket = raw
		}
	}
	return w
}

// giveUpAt ends every read after t, also one that is under way.
func (w *wire) giveUpAt(t time.Time) {
	w.until.Store(t.UnixNano())
	_ = w.net.SetDeadline(t) // it fails only on a closed connection, where the read that follows tells
}

func (w *wire) readUntil(t time.Time) { _ = w.net.SetReadDeadline(t) }

// gather chooses how many bytes the kernel should wait for.
func (w *wire) gather() {
	low := 1
	if w.rows > 0 && w.expect > w.rows {
		coming := (w.expect - w.rows) * (w.rowBytes / w.rows) / 10 * 9
		if low = min(coming, bulk); low < bulk/16 {
			low = 1
		}
	}
	if w.socket != nil && low != w.low && setLowWater(w.socket, low) {
		w.low = low
	}
}

// fill reads until n bytes, at most the buffer's size, are there.
func (w *wire) fill(n int) error {
	if w.w-w.r >= n {
		return nil
	}
	if len(w.buf)-w.r < max(n, len(w.buf)/2) {
		w.w = copy(w.buf, w.buf[w.r:w.w])
		w.r = 0
	}
	for w.w-w.r < n {
		w.gather()
		wait := time.Time{}
		if w.low > 1 {
			wait = time.Now().Add(patience)
		}
		w.readUntil(wait)
		if until := w.until.Load(); until != 0 {
			w.readUntil(time.Unix(0, until))
		}
		read, err := w.net.Read(w.buf[w.w:])
		w.w += read
		if err != nil && !(w.low > 1 && errors.Is(err, os.ErrDeadlineExceeded) && !w.late()) {
			return fmt.Errorf("read from the server: %w", err)
		}
	}
	return nil
}

func (w *wire) late() bool {
	until := w.until.Load()
	return until != 0 && time.Now().UnixNano() >= until
}

// header reads a message's type and the length of its body.
func (w *wire) header() (kind byte, length int, err error) {
	if err := w.fill(5); err != nil {
		return 0, 0, err
	}
	kind = w.buf[w.r]
	length = int(int32(binary.BigEndian.Uint32(w.buf[w.r+1:]))) - 4
	w.r += 5
	if length < 0 {
		return 0, 0, fmt.Errorf("message %q of length %d is none of PostgreSQL's", kind, length)
	}
	return kind, length, nil
}

// body reads a small message's body, good until the next read. What exceeds the
// buffer is cut off.
func (w *wire) body(length int) ([]byte, error) {
	kept := min(length, len(w.buf))
	if err := w.fill(kept); err != nil {
		return nil, err
	}
	b := w.buf[w.r : w.r+kept]
	w.r += kept
	return b, w.skip(length - kept)
}

func (w *wire) skip(length int) error {
	for length > 0 {
		if err := w.fill(1); err != nil {
			return err
		}
		n := min(length, w.w-w.r)
		w.r += n
		length -= n
	}
	return nil
}

// appendBody appends length bytes to b.
func (w *wire) appendBody(b []byte, length int) ([]byte, error) {
	for length > 0 {
		if err := w.fill(1); err != nil {
			return nil, err
		}
		n := min(length, w.w-w.r)
		b = append(b, w.buf[w.r:w.r+n]...)
		w.r += n
		length -= n
	}
	return b, nil
}

// row appends a data row's columns to b, each four bytes of length and its
// bytes, just as they come. Of a row larger than sources.MaxRecordSize only the
// first keep columns and small ones are kept, the others read as null, and big is true.
func (w *wire) row(b []byte, length, keep int) (out []byte, big bool, err error) {
	if length < 2 {
		return nil, false, fmt.Errorf("a data row of %d bytes is none of PostgreSQL's", length)
	}
	if err := w.fill(2); err != nil {
		return nil, false, err
	}
	columns := int(binary.BigEndian.Uint16(w.buf[w.r:]))
	w.r += 2
	if length -= 2; length <= sources.MaxRecordSize {
		if w.w-w.r >= length { // nearly always
			b = append(b, w.buf[w.r:w.r+length]...)
			w.r += length
			return b, false, nil
		}
		b, err = w.appendBody(b, length)
		return b, false, err
	}
	for i := range columns {
		if err := w.fill(4); err != nil {
			return nil, true, err
		}
		size := int(int32(binary.BigEndian.Uint32(w.buf[w.r:])))
		if i < keep && size > keepable {
			return nil, true, sources.Final(fmt.Errorf("a key of %d bytes is more than a key can be", size))
		}
		if i < keep || size <= smallColumn {
			b, err = w.appendBody(b, 4+max(size, 0))
		} else {
			b = binary.BigEndian.AppendUint32(b, 1<<32-1)
			err = w.skip(4 + max(size, 0))
		}
		if err != nil {
			return nil, true, err
		}
	}
	return b, true, nil
}
