package reconciler

import (
	"bytes"
	"context"
	"errors"

	"plumbline/checks"
	"plumbline/sources"
)

// encounter is how an item's record is met, compared with what was approved.
type encounter struct {
	// state is Pending where all is as it was, and else what becomes of the item.
	state ItemState
	note  string
	now   []Field
	// image is the replica's record, of the write route.
	image *sources.Image
	// agree: both sides agree by now, of the request route.
	agree bool
}

func stale(note string) encounter { return encounter{state: ItemStale, note: note} }

// meet looks at an item's record again, the replica first and then the owner, and
// says whether it still is what the item's hash covers. Errors are of stores.
func (e *Edge) meet(ctx context.Context, replica *sources.Reader, i *Item) (encounter, error) {
	if i.Request != nil {
		return e.meetRequest(ctx, i)
	}
	image, err := e.look(ctx, replica, i, false)
	var many *sources.ManyError
	switch {
	case errors.As(err, &many):
		return stale("the replica has several records of this key by now"), nil
	case err != nil:
		return encounter{}, err
	}
	if !sameImage(image, i.Before) {
		met := stale("the replica's record is no longer what it was")
		if !image.Exists {
			met.note = "the replica no longer has the record"
		} else if !i.Before.Exists {
			met.note = "the replica has such a record by now"
		}
		met.now = e.heldNow(i, image)
		return met, nil
	}
	why, err := e.ownerMoved(ctx, i)
	if err != nil || why != "" {
		return stale(why), err
	}
	return encounter{state: Pending, image: image}, nil
}

// sameImage says whether two images are of equal contents, type for type.
func sameImage(a, b *sources.Image) bool {
	return a != nil && b != nil && a.Exists == b.Exists && (!a.Exists || bytes.Equal(a.Native, b.Native))
}

// ownerMoved says how the owner's record is not what it was; "" where it is, and
// for an undo, which takes back what was written whatever the owner says by now.
func (e *Edge) ownerMoved(ctx context.Context, i *Item) (string, error) {
	if i.Owner == (sources.Fingerprint{}) {
		return "", nil
	}
	owners, doubt, err := e.Audit.Owners(ctx, []sources.Key{i.Key})
	switch {
	case err != nil:
		return "", err
	case doubt[0] != "":
		return doubt[0] + " by now", nil
	case e.comparison().OwnerState(owners[0]) != i.Owner:
		return "the owner's record is no longer what it was", nil
	}
	return "", nil
}

// meetRequest reads both sides, and has the request be the one that was approved.
func (e *Edge) meetRequest(ctx context.Context, i *Item) (encounter, error) {
	holdings, err := e.Audit.Holdings(ctx, []checks.Suspect{suspectOf(i.Key, i.CopyID)})
	if err != nil {
		return encounter{}, err
	}
	h := &holdings[0]
	if h.Doubt != "" {
		return stale(h.Doubt), nil
	}
	kind, _, err := e.remedy(h.Owner, h.Replica, nil)
	var left *leftOut
	switch {
	case errors.As(err, &left):
		met := stale(left.why)
		met.agree = e.comparison().Agree(h.Owner, h.Replica) == ""
		return met, nil
	case err != nil:
		return encounter{}, err
	case e.comparison().OwnerState(h.Owner) != i.Owner:
		return stale("the owner's record is no longer what it was"), nil
	}
	request, _, err := e.prepare(i, h, i.Request.Name)
	var unfit *unfitError
	if err != nil && !errors.As(err, &unfit) {
		return encounter{}, err
	}
	if err != nil || kind != i.Kind || *request != *i.Request {
		return stale("the replica's record is no longer what it was"), nil
	}
	return encounter{state: Pending}, nil
}

// Rehearse looks at the records of items as applying would, with credentials
// that may not write, and returns each in the state that it would have now:
// pending, or stale with why, and what its record holds now. Items that have an
// outcome already stay as they are. Nothing is kept and nothing is sent.
func Rehearse(ctx context.Context, e *Edge, items []Item) ([]Item, error) {
	rehearsed := make([]Item, len(items))
	for n := range items {
		item := items[n]
		if item.State == Pending {
			met, err := e.meet(ctx, e.Replica, &item)
			if err != nil {
				return nil, err
			}
			item.State, item.Note, item.Now = met.state, met.note, met.now
		}
		rehearsed[n] = item
	}
	return rehearsed, nil
}
