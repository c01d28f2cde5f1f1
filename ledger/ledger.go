package ledger

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/alerts"
	"plumbline/drift"
)

// Options say how a ledger is kept.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Findings is how many open findings are kept per edge whose check does not
	// say; 0 is 10,000. All are counted.
	Findings int
	// Watch hears of every committed change, from any goroutine; nil is nobody.
	// It must not block.
	Watch func(Change)
	// Policies say who is told of which check: it is called often, by many
	// goroutines, and must be fast. nil tells nobody, and keeps no incidents.
	Policies alerts.Policies
	// AuditKey is what the audit log is sealed with; nil is one made with the
	// ledger and kept in it.
	AuditKey []byte
	// DataKey wraps the keys that are made with the ledger and kept in it: those
	// that encrypt the keys of records and hash masked values, and that seals the
	// audit log where AuditKey is nil. nil keeps them in clear.
	DataKey []byte
	// Passwords hashes the passwords of accounts; nil is two at a time.
	Passwords *access.Hasher
}

// Change says what a committed change was about.
type Change struct {
	Topic          string // run | segment | finding | edge | source | config | incident | alert | fix
	Check, Replica string
	ID             string // the run's, the finding's or the plan's id; "" for many
}

// Ledger is safe for many goroutines, and several may be open on one database.
type Ledger struct {
	options Options
	engine  engine
	write   *sql.DB
	read    *sql.DB
	maskKey []byte
	masker  *drift.Masker // of maskKey
	keys    *keyring
	// auditKey seals the audit log.
	auditKey []byte
}

// Open opens the ledger at url, sqlite://path or postgres://…, and brings its
// tables up to this version. A ledger of a newer version is left untouched
// (*TooNewError); one that another process does not let go of is a *BusyError.
func Open(ctx context.Context, url string, o Options) (*Ledger, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Findings == 0 {
		o.Findings = 10_000
	}
	if o.Passwords == nil {
		o.Passwords = access.NewHasher(2)
	}
	l := &Ledger{options: o}
	var err error
	switch {
	case strings.HasPrefix(url, "sqlite://"):
		l.engine = sqliteEngine{}
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		l.engine = postgresEngine{}
	default:
		return nil, errors.New("open ledger: it is neither sqlite://path nor postgres://…")
	}
	if l.write, l.read, err = l.engine.open(ctx, url); err != nil {
		return nil, fmt.Errorf("open ledger: %w", l.engine.explain(err))
	}
	if err := l.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger: %w", l.engine.explain(err)), l.Close())
	}
	return l, nil
}

func (l *Ledger) prepare(ctx context.Context) error {
	if err := migrate(ctx, l.write, l.engine); err != nil {
		return err
	}
	made := func() string { return base64.StdEncoding.EncodeToString(drift.NewMaskKey()) }
	if _, err := l.write.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ('mask key', $1), ('audit key', $2), ('data key', $3), ('audit head', ''), ('ping', '')
		ON CONFLICT (name) DO NOTHING`, made(), made(), made()); err != nil {
		return fmt.Errorf("keep the ledger's keys: %w", err)
	}
	var err error
	if l.maskKey, err = l.keyNamed(ctx, "mask key"); err != nil {
		return err
	}
	l.masker = drift.NewMasker(l.maskKey)
	dataKey, err := l.keyNamed(ctx, "data key")
	if err != nil {
		return err
	}
	if l.keys, err = newKeyring(dataKey); err != nil {
		return err
	}
	if l.auditKey = l.options.AuditKey; l.auditKey == nil {
		l.auditKey, err = l.keyNamed(ctx, "audit key")
	}
	if err != nil {
		return err
	}
	return l.rekey(ctx)
}

// keyNamed reads a key that was made with the ledger, and wraps it where a key is
// configured that it is not yet wrapped with.
func (l *Ledger) keyNamed(ctx context.Context, name string) (key []byte, err error) {
	var kept string
	err = l.write.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, name).Scan(&kept)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", name, err)
	}
	key, again, err := unwrapped(kept, l.options.DataKey)
	if err != nil || !again {
		return key, err
	}
	text, err := wrapped(key, l.options.DataKey)
	if err == nil {
		_, err = l.write.ExecContext(ctx, `UPDATE settings SET value = $1 WHERE name = $2 AND value = $3`, text, name, kept)
	}
	if err != nil {
		return nil, fmt.Errorf("wrap the %s: %w", name, err)
	}
	return key, nil
}

// Close gives every connection back.
func (l *Ledger) Close() error {
	err := l.write.Close()
	if l.read != l.write {
		err = errors.Join(err, l.read.Close())
	}
	if err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}

// Engine is "sqlite" or "postgres".
func (l *Ledger) Engine() string { return l.engine.name() }

// DB is where the job engine keeps its tables, beside ours. With SQLite it is
// the one connection that writes: whoever holds it holds up all others.
func (l *Ledger) DB() *sql.DB { return l.write }

// MaskKey is the key under which values are hashed, made with the ledger.
func (l *Ledger) MaskKey() []byte { return l.maskKey }

// Ping says whether the ledger can be read and written, by writing to it.
func (l *Ledger) Ping(ctx context.Context) error {
	_, err := l.write.ExecContext(ctx, `UPDATE settings SET value = $1 WHERE name = 'ping'`, l.now().Format(time.RFC3339Nano))
	if err != nil {
		return fmt.Errorf("write to the ledger: %w", l.engine.explain(err))
	}
	return nil
}

// Size is how much room the ledger takes.
func (l *Ledger) Size(ctx context.Context) (bytes int64, err error) {
	if err := l.read.QueryRowContext(ctx, l.engine.size()).Scan(&bytes); err != nil {
		return 0, fmt.Errorf("measure the ledger: %w", err)
	}
	return bytes, nil
}

func (l *Ledger) now() time.Time { return l.options.Now() }
