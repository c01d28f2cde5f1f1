package reconciler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"plumbline/checks"
	"plumbline/drift"
	"plumbline/sources"
)

// leftOut is why a finding gets no item.
type leftOut struct{ why string }

func (e *leftOut) Error() string { return e.why }

func leave(format string, args ...any) error { return &leftOut{fmt.Sprintf(format, args...)} }

// make is the item that puts right what both sides hold, or a *leftOut.
func (e *Edge) make(ctx context.Context, f *drift.Finding, h *checks.Holding, types map[string]sources.FieldType) (*Item, error) {
	if h.Doubt != "" {
		return nil, leave("%s", h.Doubt)
	}
	item := &Item{Finding: f.ID, Key: f.Key, CopyID: f.CopyID, KeyText: f.KeyText, State: Pending, Owner: e.comparison().OwnerState(h.Owner)}
	if h.Replica != nil {
		item.Asked, item.AskedID = h.Replica.Key, h.Replica.ID
	}
	if e.Policy.By == Request {
		return item, e.makeRequest(item, h, types)
	}
	return item, e.makeWrite(ctx, item, h, types)
}

// kindOf is what is to be done about a difference, where the policy allows it.
func (e *Edge) kindOf(kind checks.DifferenceKind) (sources.ChangeKind, error) {
	var change sources.ChangeKind
	switch kind {
	case "":
		return "", leave("both sides agree by now")
	case checks.Mismatch:
		change = sources.Update
	case checks.Extra:
		change = sources.Delete
	case checks.Missing:
		if e.Policy.By == Write {
			return "", leave("it is missing from the replica, and only the service knows how a whole record is made (fix.by: request)")
		}
		change = sources.Insert
	default:
		return "", leave("it is %s, and which record is right, nobody can say", kind)
	}
	if !e.Policy.AllowsChange(change) {
		return "", leave("it is %s, and fix.allow has no %s", drift.KindWords(kind, ""), change)
	}
	return change, nil
}

// remedy says what is to be done about a record, and what the replica is to hold.
func (e *Edge) remedy(owner, replica *sources.Record, types map[string]sources.FieldType) (sources.ChangeKind, checks.Remedy, error) {
	r, err := e.comparison().Remedy(owner, replica, types)
	if err != nil && !errors.Is(err, checks.ErrNoRemedy) {
		return "", r, err
	}
	if err != nil && e.Policy.By == Write {
		return "", r, leave("%s", e.text(err.Error()))
	}
	if err != nil && r.Kind != checks.Mismatch { // which values are right, the service is to know
		return "", r, leave("%s", e.text(err.Error()))
	}
	kind, err := e.kindOf(r.Kind)
	return kind, r, err
}

func (e *Edge) makeWrite(ctx context.Context, item *Item, h *checks.Holding, types map[string]sources.FieldType) error {
	kind, _, err := e.remedy(h.Owner, h.Replica, types)
	if err != nil {
		return err
	}
	item.Kind = kind
	before, err := e.look(ctx, e.Replica, item, false)
	var many *sources.ManyError
	switch {
	case errors.As(err, &many):
		return leave("the replica has several records of this key")
	case err != nil && sources.FailureOf(err) == sources.FailureFinal: // of this record: others may well be put right
		return leave("the replica's store cannot write it: %s", e.text(err.Error()))
	case err != nil:
		return err
	case !before.Exists:
		return leave("the replica no longer has it")
	}
	// What counts is the image, which is what the write is compared with.
	kind, remedy, err := e.remedy(h.Owner, &before.Record, types)
	if err != nil {
		return err
	}
	if kind != item.Kind {
		return leave("it changed while the plan was drafted")
	}
	after := &sources.Image{}
	if kind == sources.Update {
		after, err = e.Replica.Become(ctx, e.replica(), before, remedy.Set)
		if err != nil && sources.FailureOf(err) == sources.FailureFinal {
			return leave("the replica's store does not take the owner's value: %s", e.text(err.Error()))
		}
		if err != nil {
			return err
		}
		if differ := e.comparison().Agree(h.Owner, &after.Record); differ != "" {
			return leave("what the replica's store would make of the owner's value does not agree with it: %s", drift.Visible(differ))
		}
	}
	item.Before, item.After = before, after
	item.Fields = e.fieldsOf(before, after)
	item.Statement, err = e.statement(&sources.Change{Key: item.Asked, ID: item.AskedID, Before: before, After: after})
	return err
}

// look reads the replica's record of an item as it can be put back.
func (e *Edge) look(ctx context.Context, reader *sources.Reader, i *Item, settled bool) (*sources.Image, error) {
	return reader.Look(ctx, e.replica(), i.Asked, i.AskedID, sources.Looking{Whole: i.Kind != sources.Update, Settled: settled})
}

func (e *Edge) makeRequest(item *Item, h *checks.Holding, types map[string]sources.FieldType) error {
	kind, remedy, err := e.remedy(h.Owner, h.Replica, types)
	if err != nil {
		return err
	}
	item.Kind = kind
	request, shown, err := e.prepare(item, h, rand.Text())
	var unfit *unfitError
	if errors.As(err, &unfit) {
		return leave("the request has no form for it: %s", unfit)
	}
	if err != nil {
		return err
	}
	item.Request, item.Statement = request, requested(shown)
	item.Fields = e.comparedFields(h, remedy.Fields)
	return nil
}

// comparedFields are the replica's fields that differ, or all of a record that
// only one side has, with what the owner holds.
func (e *Edge) comparedFields(h *checks.Holding, differ []checks.FieldDifference) []Field {
	if len(differ) == 0 {
		for i, r := range e.comparison().Rules {
			differ = append(differ, checks.FieldDifference{Owner: r.Owner.Name, Replica: r.Replica.Name, Rule: r.Words(), Mask: r.Mask,
				OwnerValue: valueAt(h.Owner, i), ReplicaValue: valueAt(h.Replica, i)})
		}
	}
	fields := make([]Field, len(differ))
	for i := range differ {
		d := differ[i]
		d.Mask = max(d.Mask, e.ownerMask(d.Owner))
		shown := e.Lens.Field(&d)
		fields[i] = Field{Name: shown.ReplicaField, Now: shown.Replica, Then: shown.Owner, Rule: shown.Rule}
		if fields[i].Name == "" {
			fields[i].Name = shown.Title()
		}
	}
	return fields
}

func valueAt(r *sources.Record, i int) sources.Value {
	if r == nil || i >= len(r.Fields) {
		return sources.Value{}
	}
	return r.Fields[i]
}

// ownerMask is how much of an owner's field is hidden.
func (e *Edge) ownerMask(name string) (mask checks.Mask) {
	for _, r := range e.declared().Rules {
		if r.Owner.Name == name {
			mask = max(mask, r.Mask, drift.FieldMask(e.Check, e.declared(), r.Replica.Name))
		}
	}
	return mask
}

// prepare fills the template with what both sides hold: as it is sent, and as it
// may be shown.
func (e *Edge) prepare(item *Item, h *checks.Holding, name string) (sent, shown *PreparedRequest, err error) {
	if e.Policy.Request == nil {
		return nil, nil, errors.New("no request is configured: set fix.request")
	}
	f := &filling{value: func(p place) (sources.Value, error) { return e.valueOf(p, item, h) }}
	if sent, err = e.Policy.Request.render(f); err != nil {
		return nil, nil, err
	}
	f.shown = func(p place, v sources.Value) (string, bool) {
		value := e.Lens.Masker.Show(v, e.maskOf(p))
		return value.Whole(), value.Masked
	}
	if shown, err = e.Policy.Request.render(f); err != nil {
		return nil, nil, err
	}
	sent.Name, shown.Name = name, name
	return sent, shown, nil
}

// valueOf is what a place of a request is filled with.
func (e *Edge) valueOf(p place, item *Item, h *checks.Holding) (sources.Value, error) {
	c := e.comparison()
	pick := func(names []string, values []sources.Value, missing string) (sources.Value, error) {
		at := slices.Index(names, p.name)
		if at < 0 || at >= len(values) {
			return sources.Value{}, &unfitError{p, missing}
		}
		return values[at], nil
	}
	switch p.of {
	case "key":
		return pick(e.Check.Owner.Dataset.Key, item.Key, "is no part of the key")
	case "id":
		id := item.CopyID
		if h.Replica != nil {
			id = h.Replica.ID
		}
		return pick(e.declared().Replica.Dataset.ID, id, "is not known: the replica has no such copy")
	case "owner":
		if h.Owner == nil {
			return sources.Value{}, &unfitError{p, "is not known: the owner has no record"}
		}
		return pick(c.Owner.Fields, h.Owner.Fields, "is not compared at present")
	default:
		if h.Replica == nil {
			return sources.Value{}, &unfitError{p, "is not known: the replica has no record"}
		}
		return pick(c.Replica.Fields, h.Replica.Fields, "is not compared at present")
	}
}

// maskOf says how much is hidden of what a place is filled with.
func (e *Edge) maskOf(p place) checks.Mask {
	edge := e.declared()
	switch p.of {
	case "key":
		if at := slices.Index(e.Check.Owner.Dataset.Key, p.name); at >= 0 && at < len(edge.Replica.Dataset.Key) {
			return drift.FieldMask(e.Check, edge, edge.Replica.Dataset.Key[at])
		}
		return checks.MaskFull
	case "owner":
		return e.ownerMask(p.name)
	}
	return drift.FieldMask(e.Check, edge, p.name)
}
