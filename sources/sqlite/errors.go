package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"plumbline/sources"
)

// codeOf is SQLite's result code, extended; 0 where err is none of SQLite's.
func codeOf(err error) int {
	var e *driver.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// explain gives an error its class. outer is the caller's context, inner the
// one that also ends at our statement timeout.
func (s *source) explain(outer, inner context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case outer.Err() != nil:
		return outer.Err()
	case inner.Err() != nil:
		return sources.Timeout(fmt.Errorf("statement ran longer than %s", s.options.StatementTimeout))
	}
	code := codeOf(err)
	switch code {
	case sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT, sqlite3.SQLITE_READONLY_ROLLBACK:
		return fmt.Errorf("the database needs recovery by its own program, which stopped in mid-write: %w", err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CANTOPEN_NOTEMPDIR, sqlite3.SQLITE_CANTOPEN_ISDIR, sqlite3.SQLITE_CANTOPEN_FULLPATH:
		if unreachable := s.unreachable(); unreachable != nil {
			return unreachable
		}
		return fmt.Errorf("open the file %s: %w", s.location.path, err) // gone for a moment, perhaps
	}
	if strings.HasPrefix(err.Error(), "missing argument") {
		return sources.Final(fmt.Errorf("a query or condition holds a parameter (?), and nothing gives it a value: %w", err))
	}
	switch code & 0xff {
	case sqlite3.SQLITE_IOERR:
		if unreachable := s.unreachable(); unreachable != nil {
			return unreachable
		}
	case sqlite3.SQLITE_NOTADB:
		return sources.Final(fmt.Errorf("%s is no SQLite database: %w", s.location.path, err))
	case sqlite3.SQLITE_CORRUPT:
		return sources.Final(fmt.Errorf("%s is damaged: %w", s.location.path, err))
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_PERM, sqlite3.SQLITE_MISMATCH,
		sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_MISUSE:
		return sources.Final(err)
	}
	return err
}

// unreachable is why a file that was there when the read began cannot be opened;
// nil when nothing is wrong with it that we can see.
func (s *source) unreachable() error {
	if _, absent, err := s.location.look(); absent != "" {
		return errGone(absent)
	} else if err != nil {
		return err
	}
	return sources.Final(s.location.barred())
}

// outdated says that a statement made from an older schema no longer fits.
func outdated(err error) bool {
	return codeOf(err)&0xff == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "no such ")
}
