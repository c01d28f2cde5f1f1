package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"plumbline/sources"
)

// writeWithin bounds, on the server, how long a write may go on after it began. It
// is shorter than what a settled look is put off for, so that a write that began
// in time is over by then.
const writeWithin = 4 * time.Second

// Write changes one document by one command, which the server carries out at once
// or not at all. Its conditions are the document's _id, the dataset's filter and
// conditions, each value that the record is read from, type for type, and that the
// server's clock ($$NOW, as the command began) is before until. It changes the
// fields that differ and no others; a field that had been taken away comes back
// behind the others. A document is put back by $merge, which fails where there is
// one already: an insert has no place for a condition on the clock.
func (s *source) Write(ctx context.Context, d *sources.Dataset, c *sources.Change, until time.Time) error {
	if !s.limits.Writable {
		return &sources.NotWritten{Err: errors.New("this source was opened to read")}
	}
	p, err := s.plainly(ctx, d)
	if err != nil {
		return refusedIfFinal(err)
	}
	how := sources.Looking{}
	place := &found{}
	if c.Before.Exists {
		n, err := p.native(c.Before.Native)
		if err != nil {
			return &sources.NotWritten{Err: err}
		}
		how.Whole = n.whole != nil
	}
	if p.Unwind != "" { // the conditions and the change name the element by its index
		place, err = s.lookFor(ctx, p, c.Key, c.ID, how)
		switch {
		case another(err), err == nil && !sameImage(place.image, c.Before):
			return &sources.NotWritten{Stale: true}
		case err != nil:
			return refusedIfFinal(err)
		}
	}
	w, err := p.statement(c, place.at, until)
	if err != nil {
		return &sources.NotWritten{Err: err}
	}
	n, err := s.change(ctx, w)
	if err != nil || n == 1 || w.kind == sources.Insert {
		return err
	}
	return s.why(ctx, p, c, how, until)
}

// why finds out why a write found no document to change.
func (s *source) why(ctx context.Context, p *dataset, c *sources.Change, how sources.Looking, until time.Time) error {
	now, err := s.lookFor(ctx, p, c.Key, c.ID, how)
	switch {
	case another(err):
		return &sources.NotWritten{Stale: true}
	case err != nil:
		return &sources.NotWritten{Stale: true, Err: fmt.Errorf("look why: %w", err)}
	}
	return &sources.NotWritten{Stale: !sameImage(now.image, c.Before) || now.image.ReadAt.Before(until), Late: !now.image.ReadAt.Before(until)}
}

// another says whether a look failed because the record is not the one it was.
func another(err error) bool {
	var many *sources.ManyError
	return errors.As(err, &many) || errors.Is(err, errNoList)
}

func refusedIfFinal(err error) error {
	if sources.FailureOf(err) == sources.FailureFinal {
		return &sources.NotWritten{Err: err}
	}
	return err
}

// codeNoRoot is the server's code for a document that $replaceRoot was to make of nothing.
const codeNoRoot = 40228

// change sends a change, once, and returns how many documents it found. Errors are
// *NotWritten where the server says that it changed nothing.
func (s *source) change(ctx context.Context, w *statement) (n int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	client, err := s.connected()
	if err != nil {
		return 0, err
	}
	bare, cancel := undated(ctx)
	defer cancel()
	within := max(1, min(writeWithin, s.limits.StatementTimeout).Milliseconds())
	command := append(w.command, bson.E{Key: "maxTimeMS", Value: within},
		bson.E{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}, {Key: "wtimeout", Value: within}}})
	raw, err := client.Database(s.database).RunCommand(bare, command).Raw()
	if err == nil {
		n, _ := raw.Lookup("n").AsInt64OK()
		return n, nil
	}
	var written mongo.WriteException
	if errors.As(err, &written) {
		if len(written.WriteErrors) == 1 {
			return 0, s.refused(int32(written.WriteErrors[0].Code), "", err, w.kind)
		}
		return 0, fmt.Errorf("the server took the write, but not for good yet: %w", s.hideSecrets(err))
	}
	var failed mongo.CommandError
	if errors.As(err, &failed) {
		return 0, s.refused(failed.Code, failed.Name, s.failed(ctx, err), w.kind)
	}
	return 0, s.failed(ctx, err)
}

// refused is an answer by which the server says that it did not make a change,
// as far as its code says so for certain.
func (s *source) refused(code int32, name string, err error, kind sources.ChangeKind) error {
	err = &cleaned{text: sources.Quoteless(s.hideSecrets(err).Error()), err: err}
	switch {
	case code == codeNoRoot && kind == sources.Insert:
		return &sources.NotWritten{Late: true}
	case code == codeDuplicateKey && kind == sources.Insert:
		return &sources.NotWritten{Stale: duplicateID(err), Err: err}
	case slices.Contains(refusals(), code), slices.Contains(finalNames(), name), strings.HasPrefix(name, "Location"):
		return &sources.NotWritten{Err: err}
	}
	return err
}

// refusals are the codes by which a server says that a document cannot be changed
// so: errors of a write come without their names.
func refusals() []int32 {
	return []int32{
		2, 9, 14, 15, 16, // values that it does not understand
		28, 40, 52, 53, 56, 57, 66, // paths that lead nowhere, or to what may not change
		10334, 17419, // documents that are too large
		codeUnauthorized, codeCommandNotFound, codeInvalidOptions, codeCommandNotSupported, codeInvalid, codeDuplicateKey,
	}
}

// duplicateID says whether a document of the same _id is there already, and not
// one that another unique index keeps from having a twin.
func duplicateID(err error) bool {
	var failed mongo.CommandError
	if !errors.As(err, &failed) {
		return false
	}
	pattern, ok := failed.Raw.Lookup("keyPattern").DocumentOK()
	if !ok {
		return false
	}
	_, lookupErr := pattern.LookupErr("_id")
	return lookupErr == nil
}
