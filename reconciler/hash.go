package reconciler

import (
	"crypto/sha256"
	"encoding/hex"

	"plumbline/sources"
)

// ItemHash is SHA-256 over the injective encoding of all that an item stands
// for: its plan's edge and check, its record, what that is and what it is to
// become, the owner's state, and the request. Two items with one hash do the same.
func ItemHash(check, replica, checkHash, undoes string, i *Item) string {
	texts := []string{"plumbline fix 1", check, replica, checkHash, undoes, i.Finding, string(i.Kind)}
	parts := make([]sources.Value, 0, 24)
	for _, t := range texts {
		parts = append(parts, sources.Text(t))
	}
	for _, k := range []sources.Key{i.Key, i.CopyID, i.Asked, i.AskedID} {
		parts = append(parts, sources.ListOf(k))
	}
	parts = append(parts, sources.Bytes(i.Owner[:]))
	for _, image := range []*sources.Image{i.Before, i.After} {
		switch {
		case image == nil:
			parts = append(parts, sources.Null())
		case !image.Exists:
			parts = append(parts, sources.Bool(false))
		default:
			parts = append(parts, sources.Bytes(image.Native))
		}
	}
	if r := i.Request; r != nil {
		parts = append(parts, sources.ListOf([]sources.Value{sources.Text(r.Method), sources.Text(r.URL), sources.Text(r.Body), sources.Text(r.Name)}))
	}
	sum := sha256.Sum256([]byte(sources.Key(parts).Encode()))
	return hex.EncodeToString(sum[:])
}

// PlanHash is SHA-256 over the hashes of a plan's items, in order.
func PlanHash(items []string) string {
	h := sha256.New()
	for _, i := range items {
		h.Write([]byte(i + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
