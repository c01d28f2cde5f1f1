package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"slices"

	"plumbline/sources"
)

// opened is what a source's paths lead to: its files, as they were found there,
// and the connections to just these. A connection goes on reading the file that
// it opened, when its path has long led to another or to none; so each read
// looks first, and a file that was replaced is opened anew.
type opened struct {
	number int64 // 1 for the first, and one more for each that replaces it
	files  []os.FileInfo
	db     *sql.DB
	// writing are the connections that may write; nil unless the source may.
	writing *sql.DB
	users   int  // reads and writes under way
	left    bool // the paths lead elsewhere: the last user closes it
}

func (o *opened) close() error {
	if o.writing == nil {
		return o.db.Close()
	}
	return errors.Join(o.db.Close(), o.writing.Close())
}

// enter opens what the paths lead to now, unless it is open. Whoever enters leaves.
func (s *source) enter() (*opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, sources.Final(errors.New("the source is closed"))
	}
	files, absent, err := s.location.look() // under the lock, or an older look might undo a later one
	before := s.last > 0
	switch {
	case absent != "":
		s.retire()
		if before {
			return nil, errGone(absent)
		}
		return nil, sources.Final(fmt.Errorf("database file %s is not there", absent))
	case err != nil && before:
		return nil, err
	case err != nil:
		return nil, sources.Final(err)
	}
	if s.present != nil && !sameFiles(s.present.files, files) {
		s.retire()
	}
	if s.present == nil {
		s.last++
		s.present = &opened{number: s.last, files: files, db: s.connections(connecting{s.connector, s.location, files, false})}
		if s.writing != nil {
			s.present.writing = s.connections(connecting{s.writing, s.location, files, true})
		}
	}
	s.present.users++
	return s.present, nil
}

func (s *source) connections(c connecting) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(s.options.Connections)
	db.SetMaxIdleConns(s.options.Connections)
	return db
}

// leave ends what enter began.
func (s *source) leave(o *opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.users--; o.users == 0 && o.left {
		s.closing = errors.Join(s.closing, o.close())
	}
}

// retire has the present connections closed as soon as nobody reads by them. s.mu is held.
func (s *source) retire() {
	if o := s.present; o != nil {
		if s.present, o.left = nil, true; o.users == 0 {
			s.closing = errors.Join(s.closing, o.close())
		}
	}
}

// errGone is no final error: whoever replaces a file in two steps is half way.
func errGone(file string) error { return fmt.Errorf("the file is gone: %s was there before", file) }

// errReplaced is no final error: reading from the beginning reads the new file.
func (s *source) errReplaced() error {
	return fmt.Errorf("the file was replaced while it was being read: %s is another one now", s.location.path)
}

// begun is the file that a dataset is read from.
type begun struct {
	file      int64 // opened.number
	described bool
}

// maxDatasets bounds how many datasets are remembered. A service opens its
// checks again and again, each time with datasets of their own.
const maxDatasets = 1000

// beginnings are what datasets are read from. Those that were not asked for
// while maxDatasets others were are forgotten.
type beginnings struct{ recent, older map[*sources.Dataset]begun }

func (k *beginnings) get(d *sources.Dataset) (b begun, ok bool) {
	if b, ok = k.recent[d]; ok {
		return b, true
	}
	if b, ok = k.older[d]; ok {
		k.set(d, b)
	}
	return b, ok
}

func (k *beginnings) set(d *sources.Dataset, b begun) {
	if k.recent == nil || len(k.recent) >= maxDatasets {
		k.recent, k.older = map[*sources.Dataset]begun{}, k.recent
	}
	k.recent[d] = b
}

// begin notes which file a dataset is read from.
func (s *source) begin(d *sources.Dataset, b begun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun.set(d, b)
}

// goesOn says whether a scan may read from a file: a position in one file means
// nothing in another, and half of each would look like a whole. A dataset that
// was described is read from the file that was described, until it is described
// again; any other from the file that its last scan began in.
func (s *source) goesOn(d *sources.Dataset, o *opened, span sources.Span) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.begun.get(d)
	switch {
	case ok && b.file == o.number:
	case ok && (b.described || span.After != nil):
		return s.errReplaced()
	default:
		s.begun.set(d, begun{file: o.number})
	}
	return nil
}

// connecting opens connections to the files of one opened, and to no others.
type connecting struct {
	driver.Connector
	location location
	files    []os.FileInfo
	writes   bool
}

func (c connecting) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, conn.(driver.ExecerContext)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	files, absent, err := c.location.look() // what was there before and after is what was opened
	switch {
	case err != nil:
	case absent != "":
		err = errGone(absent)
	case !sameFiles(files, c.files):
		err = fmt.Errorf("the file was replaced while it was being opened: %s is another one now", c.location.path)
	default:
		return conn, nil
	}
	return nil, errors.Join(err, conn.Close())
}

// prepare attaches the further files. EXTRA, beyond FULL, makes the end of a
// rollback journal durable too.
func (c connecting) prepare(ctx context.Context, conn driver.ExecerContext) error {
	names, uri := []string{"main"}, readOnly
	if c.writes {
		uri = writable
	}
	for _, f := range c.location.attached {
		if _, err := conn.ExecContext(ctx, "ATTACH DATABASE "+quoteText(uri(f.path))+" AS "+quote(f.name), nil); err != nil {
			return err
		}
		names = append(names, f.name)
	}
	for _, name := range names {
		if !c.writes {
			break
		}
		if _, err := conn.ExecContext(ctx, "PRAGMA "+quote(name)+".synchronous = EXTRA", nil); err != nil {
			return err
		}
	}
	return nil
}

func sameFiles(a, b []os.FileInfo) bool { return slices.EqualFunc(a, b, os.SameFile) }

// look finds what the paths lead to, or says which file is not there.
func (l location) look() (files []os.FileInfo, absent string, err error) {
	for _, path := range l.paths() {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil, path, nil
		case err != nil:
			return nil, "", fmt.Errorf("look at database file: %w", err)
		}
		files = append(files, info)
	}
	return files, "", nil
}
