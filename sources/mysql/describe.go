package mysql

import (
	"context"
	"fmt"
	"slices"
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
	standby, _, err := s.standby(ctx)
	if err != nil {
		return sources.Description{}, err
	}
	desc.Warnings = p.warnings(standby)
	return desc, nil
}

// order is exact where every part is of a kind that other stores order alike. A
// uuid of MariaDB is ordered by its parts from right to left.
func (p *plan) order() sources.Order {
	for _, c := range p.scanBy {
		switch c.typ.family {
		case familyInt, familyBytes, familyDatetime, familyInstant:
			if !c.indexed() {
				return sources.OrderOwn
			}
		case familyText:
			// A smaller set lacks characters that a bound of another store may have.
			if !c.bytewise() || c.charset != "utf8mb4" {
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
		by := strings.Join(slices.Concat(p.dataset.Key, p.dataset.ID), ", ")
		w = append(w, fmt.Sprintf("no index delivers %s in the order of (%s): every page would read and sort the whole table", p.title(), by))
	}
	if slices.ContainsFunc(p.columns, func(c *column) bool { return c.writable }) {
		w = append(w, fmt.Sprintf("our role may write to %s; a role that can only read is safer", p.title()))
	}
	if standby {
		w = append(w, "a standby answers: what it lacks may merely be late")
	}
	return w
}
