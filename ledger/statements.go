package ledger

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// remembering is a connector to SQLite whose connections keep the statements
// they have prepared: to parse a statement takes SQLite longer than to run it.
type remembering struct{ driver.Connector }

// statementsKept bounds how many statements a connection keeps, and
// statementLength which are kept: long ones are lists that hardly come again.
const (
	statementsKept  = 200
	statementLength = 8 << 10
)

func (r remembering) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	all, ok := opened.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection is a %T", opened), opened.Close())
	}
	return &rememberingConn{sqliteConn: all, known: map[string]*remembered{}}, nil
}

// sqliteConn is all that a connection of the driver can.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is a prepared statement of the driver.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// sqliteRows is all that rows of the driver can.
type sqliteRows interface {
	driver.Rows
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// rememberingConn is used by one goroutine at a time, as every driver.Conn.
type rememberingConn struct {
	sqliteConn
	known map[string]*remembered
}

// remembered is a statement that was prepared; while its rows are read it is busy, and
// whoever wants the same prepares another.
type remembered struct {
	sqliteStmt
	busy bool
}

// ExecContext implements driver.ExecerContext.
func (c *rememberingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *rememberingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	all, ok := rows.(sqliteRows)
	if !ok {
		return nil, errors.Join(fmt.Errorf("rows are a %T", rows), rows.Close())
	}
	s.busy = true
	return &rememberedRows{all, s}, nil
}

// rememberedRows gives its statement back when it is closed.
type rememberedRows struct {
	sqliteRows
	of *remembered
}

// Close implements driver.Rows.
func (r *rememberedRows) Close() error {
	r.of.busy = false
	return r.sqliteRows.Close()
}

// statement returns a statement that is ready for use, or nil for one that is
// not to be kept.
func (c *rememberingConn) statement(ctx context.Context, query string) (*remembered, error) {
	if s := c.known[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(query) > statementLength {
		return nil, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	all, ok := prepared.(sqliteStmt)
	if !ok {
		return nil, prepared.Close()
	}
	for text, old := range c.known { // any: those in use come back soon enough
		if len(c.known) < statementsKept {
			break
		}
		if !old.busy {
			delete(c.known, text)
			if err := old.Close(); err != nil {
				return nil, errors.Join(err, prepared.Close())
			}
		}
	}
	s := &remembered{sqliteStmt: all}
	c.known[query] = s
	return s, nil
}

// Close implements driver.Conn.
func (c *rememberingConn) Close() error {
	var errs []error
	for _, s := range c.known {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}
