package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"plumbline/sources"
)

// classify says by its SQLSTATE what became of a statement. What is not named
// here is transient.
func classify(e *pgconn.PgError) error {
	said := &saidError{text(e) + hint(e), e}
	switch e.Code {
	case "57014": // query_canceled: by statement_timeout, or by a person whom it took too long
		return sources.Timeout(said)
	case "25001", "25006", // a where or query that writes, or tries to be allowed to
		"55000", // object_not_in_prerequisite_state: a materialized view never filled
		"3D000", // no such database
		"3F000": // no such schema
		return sources.Final(said)
	case "54000", "54001", "54011", "54023": // program limits: asking again asks for as much
		return sources.Final(said)
	}
	switch e.Code[:min(2, len(e.Code))] {
	case "42", // syntax, names, permissions
		"28",             // who we are
		"22",             // a value no type holds, a division by zero in a where
		"0A",             // feature not supported
		"2F", "38", "39": // a function that does what it must not
		return sources.Final(said)
	}
	return said
}

// saidError is what the server said, as far as it may be told.
type saidError struct {
	text string
	err  *pgconn.PgError
}

func (e *saidError) Error() string { return e.text }

func (e *saidError) Unwrap() error { return e.err }

// text is what the server said, without values of records: errors about data
// quote them, and what functions raise may hold anything.
func text(e *pgconn.PgError) string {
	switch class := e.Code[:min(2, len(e.Code))]; {
	case raised(e), class == "38", class == "39":
		return fmt.Sprintf("%s: a function failed; its words may hold values and are not told (SQLSTATE %s)", e.Severity, e.Code)
	case class == "22", class == "23":
		return fmt.Sprintf("%s: %s (SQLSTATE %s)", e.Severity, sources.Quoteless(e.Message), e.Code)
	}
	return e.Error()
}

// raised says whether a function chose the error's words, whatever code it gave it.
func raised(e *pgconn.PgError) bool {
	return strings.HasPrefix(e.Code, "P0") || e.Routine == "exec_stmt_raise"
}

// hint appends what the server proposes, or what we do.
func hint(e *pgconn.PgError) string {
	switch {
	case e.Routine == "check_enable_rls": // its own words are in the server's language
		return "; " + seeAllRows("…")
	case e.Hint != "" && !raised(e):
		return "; " + e.Hint
	case e.Code == "25001", e.Code == "25006":
		return "; a where, deleted_when or query must only read"
	}
	return ""
}

// seeAllRows says what to do where row-level security would hide rows from role,
// which is quoted as in a statement.
func seeAllRows(role string) string {
	return "what it hides would look missing, so nothing is read; run: ALTER ROLE " + role + " BYPASSRLS, or read as the table's owner " +
		"(where its policies are not forced on the owner), or through a view whose owner sees all rows"
}

// code is err's SQLSTATE, "" where it has none.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// tableChanged says whether err may come from a table that is no longer what
// the catalogue said when we looked.
func tableChanged(err error) bool {
	switch code(err) {
	case "42P01", "42703", "42704", "42883", "42804":
		return true
	}
	return errors.Is(err, errChanged)
}
