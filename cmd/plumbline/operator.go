package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strings"
	"time"

	"plumbline/access"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/ledger"
)

// operator is who uses a command that works on the ledger itself: whoever may
// write the ledger may do what it holds, and the audit log names them.
func operator() access.Actor {
	name := fmt.Sprintf("user %d", os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return access.Actor{Name: access.CommandName(name), Role: access.Admin, Via: access.ByCommand}
}

// openLedger opens the ledger of a configuration. A file that is not there is made
// only where that is what the command is for.
func (c *cli) openLedger(ctx context.Context, config *configs.Config, makes bool) (*ledger.Ledger, error) {
	address := config.Ledger.Reveal()
	if path, ok := strings.CutPrefix(address, "sqlite://"); ok && !makes {
		path, _, _ = strings.Cut(path, "?")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no ledger yet (%s): plumbline serve makes it, and remembers what it finds in it", path)
		}
	}
	o := service.LedgerOptions(config)
	o.Now, o.Policies = c.now, config.Policies()
	l, err := ledger.Open(ctx, address, o)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return l, nil
}

// onLedger opens the ledger, does, and lets go of it.
func (c *cli) onLedger(ctx context.Context, makes bool, do func(context.Context, *ledger.Ledger) error) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	l, err := c.openLedger(ctx, config, makes)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, l), l.Close())
}

// attempt does what is in the audit log, also where it fails.
func attempt(ctx context.Context, l *ledger.Ledger, action, object string, do func(context.Context) error) error {
	a := &access.Attempt{Actor: operator(), Action: action, Object: object}
	err := do(access.With(ctx, a))
	if err == nil || a.Recorded() {
		return err
	}
	// It is to be known even where whoever asked has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attestWithin)
	defer cancel()
	return errors.Join(err, l.Attest(ctx, a, access.Failed))
}

// attestWithin bounds how long writing an entry of the audit log may take.
const attestWithin = 5 * time.Second
