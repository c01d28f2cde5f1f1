package auditor

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/sources"
)

// KeyKinds are the kinds that the owner's store declares for the parts of a
// check's key, in order; a part is absent where it declares none.
// *ledger.NotFoundError where there is no such check, *NotPossible.
func (a *Auditor) KeyKinds(ctx context.Context, check string) (kinds []sources.Kind, err error) {
	ctx, cancel := context.WithTimeout(ctx, recheckTimeout)
	defer cancel()
	err = a.hold(func(b *book) error {
		c := b.checks[check]
		if c == nil {
			return &ledger.NotFoundError{What: "check", Name: check}
		}
		dataset := checks.Compile(c.Check, 0, a.now()).Owner
		described, err := a.describe(ctx, b, c.Check.Owner.Source, &dataset)
		if err != nil {
			masks := drift.MasksOf(c.Check, &c.Check.Edges[0])
			return fmt.Errorf("ask %s for the kinds of its key: %s", c.Check.Owner.Source, b.lens.Text(err.Error(), masks))
		}
		for _, name := range dataset.Key {
			kinds = append(kinds, described.Types[name].Kind)
		}
		return nil
	})
	var snoozed *river.JobSnoozeError
	if errors.As(err, &snoozed) {
		return nil, &NotPossible{"the configuration is being changed: try again in a moment"}
	}
	return kinds, err
}

func (a *Auditor) describe(ctx context.Context, b *book, source string, dataset *sources.Dataset) (described sources.Description, err error) {
	err = contained(func() error {
		reader, err := b.readers(source)
		if err != nil {
			return err
		}
		described, err = reader.Describe(ctx, dataset)
		return err
	})
	return described, err
}
