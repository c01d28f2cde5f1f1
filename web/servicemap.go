package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"plumbline/drift"
)

// serviceMap is a drawing of who copies from whom: a node for each source, a
// link for each pair of owner and replica, whatever the number of checks on it.
type serviceMap struct {
	Width, Height int
	Words         string // what it shows, for those who do not see it
	Nodes         []mapNode
	Links         []mapLink
	Omitted       string // what is left out; "" for nothing
}

type mapNode struct {
	X, Y, W, H          int
	TextX, NameY, KindY int
	Name, Kind          string
	URL, Title          string
	Down                bool
}

type mapLink struct {
	Tone, URL, Title, Label string
	Path, Head              string // the curve and its arrow head
	PlateX, PlateY, PlateW  int
	TextX, TextY            int
}

// copying is a check's edge as the map sees it.
type copying struct {
	Check, Owner, Replica, OwnerKind, ReplicaKind string
	State                                         drift.Consistency
	Open, NotKept                                 int64
}

// The measures of the drawing, in its own units.
const (
	nodeWidth, nodeHeight = 164, 48
	nodeGap, mapMargin    = 26, 4
	layerGap              = 240
	mapNodes, mapLinks    = 36, 60 // more cannot be read, nor sent with every page
	nameRunes             = 20
)

// drawMap lays out the sources so that owners stand left of their replicas.
// Where there are too many, the links that drift come first.
func drawMap(copies []copying, down map[string]string) serviceMap {
	links, kinds := gatherLinks(copies)
	omitted := 0
	nodes := map[string]bool{}
	kept := links[:0:0]
	for _, l := range links {
		more := 0
		for _, name := range []string{l.owner, l.replica} {
			if !nodes[name] {
				more++
			}
		}
		if len(kept) == mapLinks || len(nodes)+more > mapNodes {
			omitted++
			continue
		}
		nodes[l.owner], nodes[l.replica] = true, true
		kept = append(kept, l)
	}
	layers := layersOf(kept)
	m := serviceMap{Words: fmt.Sprintf("%s, %s of them drawn as arrows from owner to replica",
		several(int64(len(nodes)), "source", "sources"), several(int64(len(kept)), "pair", "pairs"))}
	if omitted > 0 {
		m.Omitted = several(int64(omitted), "further pair is", "further pairs are") + " not drawn; the table below has them all."
	}
	places := place(layers, &m)
	for _, l := range kept {
		if places[l.replica].x <= places[l.owner].x {
			m.Width += backRoom // links that turn back bulge out on the right
			break
		}
	}
	var taken []area
	for _, p := range places {
		taken = append(taken, area{p.x - 12, p.y, nodeWidth + 24, nodeHeight})
	}
	from, to := ports(kept, places)
	for i, l := range kept {
		m.Links = append(m.Links, drawLink(l, from[i], to[i], m.Width, &taken))
	}
	for _, layer := range layers {
		for _, name := range layer {
			p := places[name]
			n := mapNode{X: p.x, Y: p.y, W: nodeWidth, H: nodeHeight, TextX: p.x + 14, NameY: p.y + 20, KindY: p.y + 36,
				Name: shortened(name, nameRunes), Kind: kinds[name], Title: name, URL: with("/sources", nil, "", "") + "#" + sourceAnchor(name)}
			if why, gone := down[name]; gone {
				n.Down, n.Kind, n.Title = true, shortened(kinds[name]+" · down", 26), name+": "+why
			}
			m.Nodes = append(m.Nodes, n)
		}
	}
	return m
}

// layersOf puts each source one layer right of the last of its owners. Sources
// that copy from each other in a circle stay where the circle was entered.
func layersOf(links []*link) [][]string {
	depth := map[string]int{}
	var names []string
	for _, l := range links {
		for _, n := range []string{l.owner, l.replica} {
			if _, known := depth[n]; !known {
				depth[n] = 0
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	// As many rounds as the deepest drawing that can still be read has layers.
	for range min(len(names), 4) {
		for _, l := range links {
			if l.owner != l.replica && depth[l.replica] <= depth[l.owner] && depth[l.owner] < 4 {
				depth[l.replica] = depth[l.owner] + 1
			}
		}
	}
	byDepth := map[int][]string{}
	for _, n := range names {
		byDepth[depth[n]] = append(byDepth[depth[n]], n)
	}
	var layers [][]string
	for d := 0; d <= 5; d++ {
		if len(byDepth[d]) > 0 {
			layers = append(layers, byDepth[d])
		}
	}
	return untangle(layers, links)
}

// untangle orders each layer by the middle of what its sources are linked with,
// so that fewer links cross.
func untangle(layers [][]string, links []*link) [][]string {
	rank := map[string]float64{}
	number := func() {
		for _, layer := range layers {
			for i, n := range layer {
				rank[n] = (float64(i) + .5) / float64(len(layer))
			}
		}
	}
	number()
	for range 4 {
		for _, layer := range layers {
			middle := map[string]float64{}
			for _, n := range layer {
				sum, count := 0., 0.
				for _, l := range links {
					if l.owner == n {
						sum, count = sum+rank[l.replica], count+1
					} else if l.replica == n {
						sum, count = sum+rank[l.owner], count+1
					}
				}
				middle[n] = sum / count
			}
			slices.SortStableFunc(layer, func(a, b string) int { return cmp.Compare(middle[a], middle[b]) })
			number()
		}
	}
	return layers
}

type spot struct{ x, y int }

func place(layers [][]string, m *serviceMap) map[string]spot {
	places := map[string]spot{}
	most := 0
	for _, layer := range layers {
		most = max(most, len(layer))
	}
	m.Width = 2*mapMargin + len(layers)*nodeWidth + max(len(layers)-1, 0)*layerGap
	// A drawing of two layers would otherwise be blown up to twice its size.
	gap := layerGap
	if wide := 1120; len(layers) > 1 && m.Width < wide {
		gap += (wide - m.Width) / (len(layers) - 1)
		m.Width = 2*mapMargin + len(layers)*nodeWidth + (len(layers)-1)*gap
	}
	m.Height = 2*mapMargin + most*nodeHeight + max(most-1, 0)*nodeGap
	for i, layer := range layers {
		free := m.Height - 2*mapMargin - len(layer)*nodeHeight
		each := free / (len(layer) + 1)
		for j, n := range layer {
			places[n] = spot{mapMargin + i*(nodeWidth+gap), mapMargin + each*(j+1) + j*nodeHeight}
		}
	}
	return places
}

// drawLink draws a link between two points on the edges of its nodes, with its
// label where it covers none of those in taken.
func drawLink(l *link, from, to spot, width int, taken *[]area) mapLink {
	d := mapLink{URL: with("/", nil, "q", l.owner+" → "+l.replica), Title: fmt.Sprintf("%s → %s: %s", l.owner, l.replica, several(int64(len(l.checks)), "check", "checks"))}
	name := several(int64(len(l.checks)), "check", "checks")
	if len(l.checks) == 1 {
		name = shortened(l.checks[0], 22)
		d.URL = checkURL(l.checks[0])
		d.Title += " (" + l.checks[0] + ")"
	}
	switch {
	case l.drifted > 0:
		d.Tone, d.Label = "drift", fmt.Sprintf("≠ %s · %s", name, exact(l.open))
		d.Title += fmt.Sprintf(", drifted, %s open", exact(l.open))
		if l.notKept > 0 {
			d.Label += "+"
			d.Title += fmt.Sprintf(" + %s not kept", exact(l.notKept))
		}
	case l.unknowns > 0:
		d.Tone, d.Label = "unknown", "? "+name
		d.Title += ", unknown"
	case l.sampled:
		d.Tone, d.Label = "ok", "✓ "+name+" · sample"
		d.Title += ", nothing differs in a sample"
	default:
		d.Tone, d.Label = "ok", "✓ "+name
		d.Title += ", in sync"
	}
	const arrow = 8.
	back := to.x <= from.x // to the same or an earlier layer: in at the other side
	x1, y1, y2 := float64(from.x+nodeWidth), float64(from.y), float64(to.y)
	x2, c2 := float64(to.x)-arrow, 0.
	bend := math.Max(50, math.Abs(x2-x1)/2)
	if back {
		bend = backRoom
		x2 = float64(to.x+nodeWidth) + arrow
		c2 = x2 + bend
		d.Head = fmt.Sprintf("M%.0f %.0fl9-5v10z", x2-arrow, y2)
	} else {
		c2 = x2 - bend
		d.Head = fmt.Sprintf("M%.0f %.0fl-9-5v10z", x2+arrow, y2)
	}
	d.Path = fmt.Sprintf("M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f", x1, y1, x1+bend, y1, c2, y2, x2, y2)
	d.PlateW = 16 + utf8.RuneCountInString(d.Label)*6
	var best area
	overlap := math.MaxInt
	for _, t := range []float64{.5, .4, .6, .32, .68, .25, .75} {
		a := area{int(bezier(x1, x1+bend, c2, x2, t)) - d.PlateW/2, int(bezier(y1, y1, y2, y2, t)) - plateHeight/2, d.PlateW, plateHeight}
		a.x = max(min(a.x, width-a.w), 0)
		if o := a.overlap(*taken); o < overlap {
			best, overlap = a, o
		}
	}
	*taken = append(*taken, best)
	d.PlateX, d.PlateY = best.x, best.y
	d.TextX, d.TextY = best.x+best.w/2, best.y+14
	return d
}

const (
	plateHeight = 20
	backRoom    = 90
)

// area is a rectangle of the drawing.
type area struct{ x, y, w, h int }

// overlap is how much of the area the others cover, with a little air between.
func (a area) overlap(others []area) (covered int) {
	for _, o := range others {
		w := min(a.x+a.w+6, o.x+o.w) - max(a.x-6, o.x)
		h := min(a.y+a.h+3, o.y+o.h) - max(a.y-3, o.y)
		if w > 0 && h > 0 {
			covered += w * h
		}
	}
	return covered
}

// ports spreads the ends of the links along the edges of the nodes, in the order
// of where they lead, so that they do not lie on each other.
func ports(links []*link, places map[string]spot) (from, to []spot) {
	from, to = make([]spot, len(links)), make([]spot, len(links))
	spread := func(ends []spot, here, there func(*link) string) {
		at := map[string][]int{}
		for i, l := range links {
			at[here(l)] = append(at[here(l)], i)
		}
		for name, list := range at {
			slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(places[there(links[a])].y, places[there(links[b])].y) })
			for j, i := range list {
				p := places[name]
				ends[i] = spot{p.x, p.y + nodeHeight*(j+1)/(len(list)+1)}
			}
		}
	}
	owner, replica := func(l *link) string { return l.owner }, func(l *link) string { return l.replica }
	spread(from, owner, replica)
	spread(to, replica, owner)
	return from, to
}

func bezier(a, b, c, d, t float64) float64 {
	u := 1 - t
	return u*u*u*a + 3*u*u*t*b + 3*u*t*t*c + t*t*t*d
}

// shortened cuts a name to so many characters.
func shortened(s string, runes int) string {
	if utf8.RuneCountInString(s) <= runes {
		return s
	}
	r := []rune(s)
	return string(r[:runes-1]) + "…"
}
