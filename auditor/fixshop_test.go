package auditor_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the shop of a PostgreSQL ledger
)

// mendShop is an owner and a replica of several parts, whose replica's store
// itself keeps every change of a record, and by whose hand: whatever a ledger
// says, it can be held against that.
type mendShop struct{ owner, replica *sql.DB }

// The records of a part: the first of them, and those that the replica has too
// many, differ when it drifts.
const (
	mendRecords = 60
	mendDiffer  = 36
	mendExtra   = 4
	firstExtra  = 1001
)

func openMendShop(kind, owner, replica string) (*mendShop, error) {
	open := func(url string) (*sql.DB, error) {
		if kind == "postgres" {
			return sql.Open("pgx", url)
		}
		return sql.Open("sqlite", url+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=busy_timeout(30000)&_pragma=synchronous(off)")
	}
	o, err := open(owner)
	if err != nil {
		return nil, err
	}
	r, err := open(replica)
	if err != nil {
		return nil, err
	}
	return &mendShop{o, r}, nil
}

func (s *mendShop) Close() error { return errors.Join(s.owner.Close(), s.replica.Close()) }

// create makes the tables of so many parts.
func (s *mendShop) create(ctx context.Context, kind string, parts int) error {
	statements := []string{`CREATE TABLE hands (name TEXT NOT NULL)`, `INSERT INTO hands VALUES ('')`}
	if kind == "postgres" {
		statements = append(statements,
			`CREATE TABLE changes (seq BIGINT GENERATED ALWAYS AS IDENTITY, part BIGINT NOT NULL, id BIGINT NOT NULL, was BIGINT NOT NULL, became BIGINT NOT NULL, hand TEXT NOT NULL)`,
			`CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF TG_OP = 'UPDATE' AND NEW.price = OLD.price THEN RETURN NULL; END IF;
				INSERT INTO changes (part, id, was, became, hand) SELECT TG_ARGV[0]::BIGINT, CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END,
					CASE TG_OP WHEN 'INSERT' THEN -1 ELSE OLD.price END, CASE TG_OP WHEN 'DELETE' THEN -1 ELSE NEW.price END, name FROM hands;
				RETURN NULL; END $$`)
	} else {
		statements = append(statements, `CREATE TABLE changes (seq INTEGER PRIMARY KEY, part INTEGER NOT NULL, id INTEGER NOT NULL, was INTEGER NOT NULL, became INTEGER NOT NULL, hand TEXT NOT NULL)`)
	}
	number, strict := "BIGINT", ""
	if kind != "postgres" {
		number, strict = "INTEGER", " STRICT"
	}
	for part := range parts {
		for _, db := range []*sql.DB{s.owner, s.replica} {
			table := fmt.Sprintf(`CREATE TABLE %s (id %s PRIMARY KEY, name TEXT NOT NULL, price %s NOT NULL)%s`, partTable(part), number, number, strict)
			var rows []string
			for id := 1; id <= mendRecords; id++ {
				rows = append(rows, fmt.Sprintf("(%d, 'product %d', %d)", id, id, 100*id))
			}
			for _, statement := range []string{table, "INSERT INTO " + partTable(part) + " VALUES " + strings.Join(rows, ", ")} {
				if _, err := db.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
		}
		if kind == "postgres" {
			statements = append(statements, fmt.Sprintf(`CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION told(%d)`, partTable(part), part))
			continue
		}
		for event, values := range map[string]string{"INSERT": "NEW.id, -1, NEW.price", "UPDATE": "NEW.id, OLD.price, NEW.price", "DELETE": "OLD.id, OLD.price, -1"} {
			statements = append(statements, fmt.Sprintf(`CREATE TRIGGER told_%s_%d AFTER %s ON %s BEGIN
				INSERT INTO changes (part, id, was, became, hand) SELECT %d, %s, name FROM hands; END`, strings.ToLower(event), part, event, partTable(part), part, values))
		}
	}
	for _, statement := range statements {
		if _, err := s.replica.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// by changes the replica by another hand than Plumbline's.
func (s *mendShop) by(ctx context.Context, hand string, change func(tx *sql.Tx) error) error {
	tx, err := s.replica.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // which does nothing once it is committed
	if _, err := tx.ExecContext(ctx, `UPDATE hands SET name = $1`, hand); err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE hands SET name = ''`); err != nil {
		return err
	}
	return tx.Commit()
}

// drift lets the replica of a part hold other values than its owner, different
// ones in every round: so a change says of which round's plan it is.
func (s *mendShop) drift(ctx context.Context, part int, round int64) error {
	const drifts = ` WHERE (id <= $1 OR id >= $2) AND price = $3 + id`
	var n int
	if err := s.replica.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+partTable(part)+drifts, mendDiffer, firstExtra, round*1_000_000).Scan(&n); err != nil {
		return err
	}
	if n == mendDiffer+mendExtra {
		return nil // whoever was here before had come so far
	}
	return s.by(ctx, "drift", func(tx *sql.Tx) error {
		for id := firstExtra; id < firstExtra+mendExtra; id++ {
			if _, err := tx.ExecContext(ctx, `INSERT INTO `+partTable(part)+` (id, name, price) VALUES ($1, 'one too many', 0) ON CONFLICT (id) DO NOTHING`, id); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE `+partTable(part)+` SET price = $1 + id WHERE id <= $2 OR id >= $3`, round*1_000_000, mendDiffer, firstExtra)
		return err
	})
}

// intrude changes one record of a part to what nobody else ever writes.
func (s *mendShop) intrude(ctx context.Context, part, id int, value int64) error {
	return s.by(ctx, "somebody", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE `+partTable(part)+` SET price = $1 WHERE id = $2`, value, id)
		return err
	})
}

// changed is a change of one record, -1 for none there.
type changed struct {
	part, id    int
	was, became int64
}

// changes counts Plumbline's own changes.
func (s *mendShop) changes(ctx context.Context) (map[changed]int, error) {
	rows, err := s.replica.QueryContext(ctx, `SELECT part, id, was, became FROM changes WHERE hand = ''`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	made := map[changed]int{}
	for rows.Next() {
		var c changed
		if err := rows.Scan(&c.part, &c.id, &c.was, &c.became); err != nil {
			return nil, err
		}
		made[c]++
	}
	return made, rows.Err()
}

// made is how many changes Plumbline has made.
func (s *mendShop) made(ctx context.Context) (n int64, err error) {
	err = s.replica.QueryRowContext(ctx, `SELECT COUNT(*) FROM changes WHERE hand = ''`).Scan(&n)
	return n, err
}

// pricesOf are what one store holds of a part, by id.
func pricesOf(ctx context.Context, db *sql.DB, part int) (map[int]int64, error) {
	rows, err := db.QueryContext(ctx, `SELECT id, price FROM `+partTable(part))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	prices := map[int]int64{}
	for rows.Next() {
		var id int
		var price int64
		if err := rows.Scan(&id, &price); err != nil {
			return nil, err
		}
		prices[id] = price
	}
	return prices, rows.Err()
}
