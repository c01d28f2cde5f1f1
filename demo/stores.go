package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // what the shop's services write their files with
)

// stores are the shop's own connections to its services' files.
type stores struct {
	services map[string]*sql.DB
	locked   map[string]*sql.Tx // by those that do their maintenance
}

// createStores makes a file for each service in dir. A file that is there
// already is an error: it may be somebody's.
func createStores(ctx context.Context, dir string) (*stores, error) {
	s := &stores{services: map[string]*sql.DB{}, locked: map[string]*sql.Tx{}}
	for _, service := range services() {
		if err := s.create(ctx, service, filepath.Join(dir, service+".db")); err != nil {
			return nil, errors.Join(fmt.Errorf("create the store of %s: %w", service, err), s.close())
		}
	}
	return s, nil
}

func (s *stores) create(ctx context.Context, service, file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s is there already: name an empty directory", file)
	}
	// The files live as long as the demo: what a power cut would lose is no loss.
	settings := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(off)"}, "_txlock": {"immediate"}}
	if service == maintained { // readers of a store without a write-ahead log wait for its writers
		settings["_pragma"][1], settings["_txlock"] = "journal_mode(truncate)", []string{"exclusive"}
	}
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: settings.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s.services[service] = db
	for _, statement := range schema(service) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// apply commits writes in one transaction a service, owners first.
func (s *stores) apply(ctx context.Context, writes []write) error {
	byService := map[string][]write{}
	for _, w := range writes {
		byService[w.service] = append(byService[w.service], w)
	}
	for _, service := range services() {
		if len(byService[service]) == 0 {
			continue
		}
		var err error
		if tx := s.locked[service]; tx != nil {
			err = execute(ctx, tx, byService[service])
		} else {
			err = commit(ctx, s.services[service], byService[service])
		}
		if err != nil {
			return fmt.Errorf("write to the store of %s: %w", service, err)
		}
	}
	return nil
}

func commit(ctx context.Context, db *sql.DB, writes []write) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := execute(ctx, tx, writes); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func execute(ctx context.Context, tx *sql.Tx, writes []write) error {
	for _, w := range writes {
		if _, err := tx.ExecContext(ctx, w.statement, w.args...); err != nil {
			return fmt.Errorf("%s: %w", w.statement, err)
		}
	}
	return nil
}

// maintain locks everybody else out of a service's store, or lets them in
// again. What the service itself writes meanwhile is seen afterwards.
func (s *stores) maintain(service string, begin bool) (err error) {
	if begin {
		if s.locked[service], err = s.services[service].Begin(); err != nil {
			return fmt.Errorf("lock the store of %s: %w", service, err)
		}
		return nil
	}
	tx := s.locked[service]
	delete(s.locked, service)
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("unlock the store of %s: %w", service, err)
	}
	return nil
}

func (s *stores) close() error {
	var errs []error
	for service := range s.locked {
		errs = append(errs, s.maintain(service, false))
	}
	for _, service := range services() {
		if db := s.services[service]; db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
