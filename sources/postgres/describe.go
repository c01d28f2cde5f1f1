package postgres

import (
	"context"
	"fmt"
	"strings"

	"plumbline/sources"
)

// Describe reads the catalogue anew, and every read after it goes by what it found.
func (s *source) Describe(ctx context.Context, d *sources.Dataset) (sources.Description, error) {
	p, err := s.learn(ctx, d)
	if err != nil {
		return sources.Description{}, err
	}
	desc := sources.Description{Types: p.types, Order: p.order(), ScanIndex: p.scanIndex, KeyIndex: p.keyIndex, Unique: p.unique}
	for _, c := range p.scanBy {
		desc.ScanBy = append(desc.ScanBy, c.name)
	}
	recovering, err := s.texts(ctx, "SELECT pg_is_in_recovery()")
	if err != nil {
		return sources.Description{}, fmt.Errorf("ask whether the server is a standby: %w", err)
	}
	desc.Warnings = p.warnings(recovering[0][0] == "t")
	return desc, nil
}

// order is exact where every part is of a kind that other stores order alike.
func (p *plan) order() sources.Order {
	for _, c := range p.scanBy {
		switch c.typ.oid {
		case oidInt2, oidInt4, oidInt8, oidOid, oidUUID, oidTimestamp, oidTimestamptz:
		case oidText, oidVarchar, oidName:
			if !c.bytes {
				return sources.OrderOwn
			}
		default:
			return sources.OrderOwn
		}
	}
	return sources.OrderExact
}

func (p *plan) warnings(standby bool) (w []string) {
	key := strings.Join(p.dataset.Key, ", ")
	if p.keyIndex == "" {
		w = append(w, fmt.Sprintf("no index serves look-ups by key in %s: every look-up would read the whole table; create an index on (%s)", p.title(), key))
	}
	if p.scanIndex == "" {
		by := strings.Join(append(append([]string{}, p.dataset.Key...), p.dataset.ID...), ", ")
		w = append(w, fmt.Sprintf("no index delivers %s in the order of (%s): every page would read and sort the whole table", p.title(), by))
	}
	if p.table != nil && p.table.writable {
		w = append(w, fmt.Sprintf("our role may write to %s; a role that can only read is safer", p.title()))
	}
	if standby {
		w = append(w, "a standby answers: what it lacks may merely be late")
	}
	return w
}
