package checks

import (
	"fmt"
	"strings"

	"plumbline/sources"
)

// PlanKind is a way to read both sides.
type PlanKind string

// The plans of this release.
const (
	PlanRanges PlanKind = "ranges" // both sides read the same ranges of keys
	PlanKeys   PlanKind = "keys"   // one side is scanned, the other looked up
)

// Role names a side of an edge.
type Role string

// The roles.
const (
	OwnerSide   Role = "owner"
	ReplicaSide Role = "replica"
)

func (r Role) other() Role {
	if r == OwnerSide {
		return ReplicaSide
	}
	return OwnerSide
}

// Pass is one way through a dataset: Drive is scanned. In a plan of ranges the
// other side is scanned too; in a plan of keys it is looked up.
type Pass struct {
	Drive Role
	// Presence: the pass looks only for records that the other side lacks.
	Presence bool
}

// Plan is how an edge will be read.
type Plan struct {
	Kind   PlanKind
	Passes []Pass
	// Raw: records are first compared as the stores' own bytes.
	Raw bool
	// Sampled says in words which keys are drawn, of a plan that compares a sample;
	// "" for everything. SampleKeys is how many at most, over both sides.
	Sampled    string
	SampleKeys int64
	// Why says, in the order of preference, why no faster plan was taken.
	Why []string
	// Blind says what this plan cannot find.
	Blind []string
}

// SideFacts is what planning knows of one side.
type SideFacts struct {
	Capabilities sources.Capabilities
	Description  sources.Description
	// Estimate is about how many records it holds; 0 when unknown.
	Estimate int64
}

// scans says whether the side's records can be read one after the other.
func (f SideFacts) scans() bool { return f.Capabilities.Scan && !f.Description.NoScan }

// NewPlan decides how an edge is read. It is a pure function of the comparison
// and of what both sides offer. It fails where neither side can be scanned.
func NewPlan(c *Comparison, owner, replica SideFacts) (Plan, error) {
	if !owner.scans() && !replica.scans() {
		return Plan{}, fmt.Errorf("neither side can be scanned: both can only look keys up")
	}
	if why := noRanges(c, owner, replica); why != "" {
		return keysPlan(c, owner, replica, why), nil
	}
	p := Plan{Kind: PlanRanges, Passes: []Pass{{Drive: OwnerSide}}}
	if !strict(owner.Description, c.Owner.Key) && strict(replica.Description, c.Replica.Key) {
		p.Passes[0].Drive = ReplicaSide // whose keys are of one kind for certain
	}
	if why := noRaw(c, owner.Description, replica.Description); why != "" {
		p.Why = append(p.Why, "bytes: "+why)
	} else {
		p.Raw = true
	}
	return p, nil
}

// strict says whether the store keeps every key part to its declared kind, so
// that each of its keys is a bound that the other side understands.
func strict(d sources.Description, key []string) bool {
	for _, name := range key {
		if !d.Types[name].Strict {
			return false
		}
	}
	return true
}

func keysPlan(c *Comparison, owner, replica SideFacts, why string) Plan {
	p := Plan{Kind: PlanKeys, Why: []string{"ranges: " + why}}
	compare, rest := Pass{Drive: OwnerSide}, Pass{Drive: ReplicaSide, Presence: true}
	wanted := !c.Edge.IgnoreExtra
	if c.Edge.Copies() || !owner.scans() {
		compare.Drive, rest.Drive = ReplicaSide, OwnerSide
		wanted = !c.Edge.IgnoreMissing
	}
	facts := map[Role]SideFacts{OwnerSide: owner, ReplicaSide: replica}
	if !facts[compare.Drive].scans() {
		compare.Drive, rest.Drive = rest.Drive, compare.Drive
		wanted = true
	}
	p.Passes = append(p.Passes, compare)
	switch {
	case !wanted:
	case facts[rest.Drive].scans():
		p.Passes = append(p.Passes, rest)
	case rest.Drive == ReplicaSide:
		p.Blind = append(p.Blind, "extra records: the replica can only look keys up")
	default:
		p.Blind = append(p.Blind, "missing records: the owner can only look keys up")
	}
	for _, pass := range p.Passes {
		looked := facts[pass.Drive.other()]
		if looked.Capabilities.Describe && looked.Description.KeyIndex == "" {
			p.Why = append(p.Why, fmt.Sprintf("index: no index of the %s serves look-ups by key; every look-up reads it whole", pass.Drive.other()))
		}
	}
	return p
}

// noRanges says why both sides cannot be read by the same ranges; "" when they can.
func noRanges(c *Comparison, owner, replica SideFacts) string {
	if c.Edge.Copies() || len(c.Owner.ID) > 0 {
		return "one owner record may have many copies"
	}
	sides := []struct {
		role  Role
		d     *sources.Dataset
		facts SideFacts
		forms []KeyForm
	}{{OwnerSide, &c.Owner, owner, c.Check.Owner.Forms}, {ReplicaSide, &c.Replica, replica, c.Edge.Replica.Forms}}
	for _, s := range sides {
		desc := s.facts.Description
		switch {
		case !s.facts.scans() || !s.facts.Capabilities.Describe:
			return fmt.Sprintf("the %s can only look keys up", s.role)
		case strings.Join(desc.ScanBy, "\x00") != strings.Join(s.d.Key, "\x00"):
			return fmt.Sprintf("the %s is read in the order of %s, not of its key", s.role, strings.Join(desc.ScanBy, ", "))
		case desc.Order != sources.OrderExact:
			return fmt.Sprintf("the order of the %s's key is its own%s", s.role, collationOf(desc, s.d.Key))
		case desc.ScanIndex == "":
			return fmt.Sprintf("no index serves the %s in the order of its key", s.role)
		case !desc.Unique:
			return fmt.Sprintf("no constraint keeps two records of the %s from sharing a key", s.role)
		}
		for _, f := range s.forms {
			if f != (KeyForm{}) {
				return fmt.Sprintf("the %s writes its key in a form of its own (as, prefix)", s.role)
			}
		}
	}
	for i := range c.Owner.Key {
		o, r := owner.Description.Types[c.Owner.Key[i]], replica.Description.Types[c.Replica.Key[i]]
		if o.Kind == sources.KindAbsent || o.Kind != r.Kind || o.Naive != r.Naive {
			return fmt.Sprintf("key part %s is %s in the owner and %s in the replica", c.Owner.Key[i], typeWords(o), typeWords(r))
		}
	}
	return ""
}

func typeWords(t sources.FieldType) string {
	if t.Declared != "" {
		return t.Declared
	}
	if t.Kind == sources.KindAbsent {
		return "of no declared kind"
	}
	return t.Kind.String()
}

func collationOf(d sources.Description, key []string) string {
	for _, name := range key {
		if c := d.Types[name].Collation; c != "" {
			return fmt.Sprintf(" (collation %s)", c)
		}
	}
	return ""
}

// noRaw says why equal bytes do not prove equal records; "" when they do.
func noRaw(c *Comparison, owner, replica sources.Description) string {
	if !c.rawEqual() {
		return "a rule, an invariant, where, deleted_when or the replica's version needs the values"
	}
	for i := range c.Owner.Key {
		if why := noRawField(c.Owner.Key[i], c.Replica.Key[i], owner, replica); why != "" {
			return why
		}
	}
	for _, r := range c.Rules {
		if why := noRawField(r.Owner.Name, r.Replica.Name, owner, replica); why != "" {
			return why
		}
	}
	if v := c.ownerVersion; v >= 0 && owner.Types[c.Owner.Fields[v]].Raw == "" {
		return "the owner's version has no raw form"
	}
	return ""
}

func noRawField(ownerName, replicaName string, owner, replica sources.Description) string {
	o, r := owner.Types[ownerName], replica.Types[replicaName]
	if o.Raw == "" || o.Raw != r.Raw {
		return fmt.Sprintf("%s is %s in the owner and %s in the replica", ownerName, typeWords(o), typeWords(r))
	}
	return ""
}

// Words says the plan in one line.
func (p Plan) Words() string {
	if p.Sampled != "" {
		return string(p.Kind) + ": " + p.Sampled
	}
	var passes []string
	for _, pass := range p.Passes {
		switch {
		case p.Kind == PlanRanges:
			passes = append(passes, fmt.Sprintf("both sides read the same ranges of keys, cut by the %s", pass.Drive))
		case pass.Presence:
			passes = append(passes, fmt.Sprintf("the %s's keys are read, and looked up in the %s", pass.Drive, pass.Drive.other()))
		default:
			passes = append(passes, fmt.Sprintf("the %s is read, and its keys looked up in the %s", pass.Drive, pass.Drive.other()))
		}
	}
	words := string(p.Kind) + ": " + strings.Join(passes, "; then ")
	if p.Raw {
		words += "; equal bytes count as equal"
	}
	return words
}
