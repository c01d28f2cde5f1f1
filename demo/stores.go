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
}

// createStores makes a file for each service in dir. A file that is there
// already is an error: it may be somebody's.
func createStores(ctx context.Context, dir string) (*stores, error) {
	s := &stores{services: map[string]*sql.DB{}}
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
		if err := commit(ctx, s.services[service], byService[service]); err != nil {
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
	for _, w := range writes {
		if _, err := tx.ExecContext(ctx, w.statement, w.args...); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", w.statement, err), tx.Rollback())
		}
	}
	return tx.Commit()
}

func (s *stores) close() error {
	var errs []error
	for _, service := range services() {
		if db := s.services[service]; db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
