package mysql

import (
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"plumbline/sources"
)

// The server's error numbers that we act on, by their names in its manual.
const (
	errShutdown         = 1053
	errSyntax           = 1064
	errNoSuchThread     = 1094
	errUnknownVariable  = 1193
	errLockWaitTimeout  = 1205
	errDenied           = 1227
	errDeadlock         = 1213
	errWrongValue       = 1231
	errQueryInterrupted = 1317
	errKilled           = 1927
	errStatementTimeout = 1969 // MariaDB's
	errQueryTimeout     = 3024 // MySQL's
)

// classify says by its number what became of a statement. What is not named here
// is transient.
func classify(e *mysql.MySQLError) error {
	said := &saidError{text(e) + hint(e), e}
	switch e.Number {
	case errStatementTimeout, errQueryTimeout, errLockWaitTimeout,
		errQueryInterrupted: // by a person whom it took too long
		return sources.Timeout(said)
	case 1044, 1045, 1142, 1143, 1227, 1370, 1698, 3118, 3950, 4151, // who we are, and what we may do
		1046, 1049, // no such database
		1051, 1146, // no such table
		1054, 1060, 1247, 1052, // no such column, or several
		1064, 1149, // syntax
		1111, 1140, 1221, 1222, 1235, 1241, 1242, 1248, 1305, 1318, 1336, 1582, 1584, 1630, 4078, 4079, // a condition or query that makes no sense
		1253, 1267, 1270, 1271, 1300, // collations that do not go together
		1292, 1365, 1367, 1411, 1416, 1525, 1690, 3037, 3055, 3141, 3143, 3144, // a value no type holds
		1290, 1792, 1836, // a where or query that writes
		1347, 1356, // a view that is none, or is broken
		1615, 1659, 1103, 1102: // names
		return sources.Final(said)
	}
	return said
}

// saidError is what the server said, as far as it may be told.
type saidError struct {
	text string
	err  *mysql.MySQLError
}

func (e *saidError) Error() string { return e.text }

func (e *saidError) Unwrap() error { return e.err }

// text is what the server said, without values of records: errors about data
// quote them, and what functions raise may hold anything. Only errors about names
// and rights are told in full.
func text(e *mysql.MySQLError) string {
	switch e.Number {
	case 1643, 1644, 1645: // SIGNAL: a function's own words
		return fmt.Sprintf("a function failed; its words may hold values and are not told (error %d)", e.Number)
	case 1044, 1045, 1049, 1054, 1142, 1143, 1146, 1227, 1305, 1370, 1698, 1193:
		return fmt.Sprintf("%s (error %d)", e.Message, e.Number)
	}
	return fmt.Sprintf("%s (error %d)", sources.Quoteless(e.Message), e.Number)
}

func hint(e *mysql.MySQLError) string {
	switch e.Number {
	case 1290, 1792, 1836:
		return "; a where, deleted_when or query must only read"
	}
	return ""
}

// number is the server's number of err, 0 where it has none.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// tableChanged says whether err may come from a table that is no longer what
// the catalogue said when we looked.
func tableChanged(err error) bool {
	switch number(err) {
	case 1146, 1054, 1176, 1072, 1412: // table, column, index gone; definition changed
		return true
	}
	return errors.Is(err, errChanged)
}
