package web

import (
	"cmp"
	"slices"

	"plumbline/drift"
)

// link gathers the checks between two sources.
type link struct {
	owner, replica    string
	checks            []string
	open, notKept     int64
	drifted, unknowns int
	sampled           bool // some of them is known from a sample alone
}

// gatherLinks joins edges between the same two sources, the worst first.
func gatherLinks(copies []copying) ([]*link, map[string]string) {
	byPair := map[[2]string]*link{}
	var links []*link
	kinds := map[string]string{}
	for _, c := range copies {
		kinds[c.Owner], kinds[c.Replica] = c.OwnerKind, c.ReplicaKind
		l := byPair[[2]string{c.Owner, c.Replica}]
		if l == nil {
			l = &link{owner: c.Owner, replica: c.Replica}
			byPair[[2]string{c.Owner, c.Replica}] = l
			links = append(links, l)
		}
		if !slices.Contains(l.checks, c.Check) {
			l.checks = append(l.checks, c.Check)
		}
		l.open += c.Open
		l.notKept += c.NotKept
		switch c.State {
		case drift.Drifted:
			l.drifted++
		case drift.InSync:
		case drift.InSample:
			l.sampled = true
		default:
			l.unknowns++
		}
	}
	slices.SortStableFunc(links, func(a, b *link) int {
		return cmp.Or(-cmp.Compare(a.drifted, b.drifted), -cmp.Compare(a.unknowns, b.unknowns), cmp.Compare(a.owner, b.owner), cmp.Compare(a.replica, b.replica))
	})
	return links, kinds
}
