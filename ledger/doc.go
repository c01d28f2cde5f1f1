// Package ledger is Plumbline's own memory: runs, segments, suspects, findings,
// slots and processes, in SQLite or PostgreSQL behind one set of statements.
//
// What must not come apart is written in one transaction: a slot with its runs
// and their jobs; a segment's progress with its suspects; verdicts with the
// transitions they make. Whoever works on a run, a segment or an edge holds its
// term, raised when it was claimed; every record is written WHERE term = $n, so
// a worker that froze and woke writes nothing (ErrLostTerm).
//
// Times are milliseconds since 1970 in BIGINT columns, documents JSON in TEXT,
// keys their injective encoding in BYTEA.
package ledger
