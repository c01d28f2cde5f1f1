package checks

import (
	"context"
	"errors"
	"io"
	"time"

	"plumbline/sources"
)

const (
	// othersParts is in how many places of a dataset records are looked at, and
	// othersMost at how many in each.
	othersParts = 8
	othersMost  = 50
	// othersHold is how long what they showed holds.
	othersHold = 10 * time.Second
)

// lookInDoubt looks at a side's records beside those of a page: again at those
// that were kept, and elsewhere, at some from all over the dataset.
func (e *edge) lookInDoubt(ctx context.Context, s *side, again, elsewhere bool) (changes []SchemaChange, err error) {
	if elsewhere && e.now().Sub(e.fields.all[s.role]) > othersHold {
		if changes, err = e.lookAtOthers(ctx, s); err != nil {
			return nil, err
		}
		e.fields.all[s.role] = e.now()
	}
	if !again {
		return changes, nil
	}
	found, err := e.lookAgain(ctx, s)
	return append(changes, found...), err
}

// lookAtOthers reads some records from all over a side and says which of its
// fields are not what runs before saw. Records that lack a field lie together
// where it came to be written later: where only the first can be looked at, a
// field has vanished from them if every record had it.
func (e *edge) lookAtOthers(ctx context.Context, s *side) (changes []SchemaChange, err error) {
	if !s.facts.scans() {
		return nil, nil
	}
	cuts, err := s.reader.Split(ctx, s.dataset, othersParts)
	if err != nil {
		return nil, err
	}
	p := &pageSeen{}
	for _, after := range append([]sources.Position{nil}, cuts...) {
		stream := s.reader.Stream(s.dataset, sources.ScanRequest{Span: sources.Span{After: after}})
		if len(cuts) > 0 {
			stream.AtMost(othersMost)
		}
		page, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := decodeAll(page); err != nil {
			return nil, err
		}
		e.observePage(p, s.role, page)
	}
	for name, is := range p.seen.Of(s.role) {
		before := e.options.Seen.Of(s.role)[name]
		c := e.turnedFrom(s, name, is, before, seenEnough)
		if c != nil && (c.Kind == FieldRetyped || len(cuts) > 0 || before.Present == before.Records) {
			changes = append(changes, *c)
		}
	}
	return changes, nil
}
