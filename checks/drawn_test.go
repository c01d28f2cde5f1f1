package checks_test

import (
	"testing"
	"time"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// drawnRun goes through a run as a service does: it draws, reads the segments part
// by part, and judges the suspects when it pleases.
type drawnRun struct {
	t        *testing.T
	audit    *checks.Audit
	drawn    checks.Drawn
	run      checks.EdgeRun
	suspects []checks.Suspect
}

func (p *pair) draw(t *testing.T, s checks.Sample) *drawnRun {
	t.Helper()
	a, err := checks.Open(t.Context(), p.check, 0, p.readers, checks.Options{Sample: &s})
	must(t, err)
	d := &drawnRun{t: t, audit: a}
	d.drawn, err = a.Draw(t.Context(), s, nil, 11)
	must(t, err)
	d.run.Sampled = d.drawn.Sampled()
	return d
}

func (d *drawnRun) scan() {
	d.t.Helper()
	for _, segment := range d.drawn.Segments {
		must(d.t, d.audit.Scan(d.t.Context(), segment, func(part *checks.Part) error {
			d.run.Counts.Add(part.Counts)
			d.suspects = append(d.suspects, part.Suspects...)
			return nil
		}))
	}
}

// judge judges all suspects once; those that follow are judged next time.
func (d *drawnRun) judge() {
	d.t.Helper()
	verdicts, err := d.audit.Judge(d.t.Context(), d.suspects)
	must(d.t, err)
	d.suspects = nil
	for i := range verdicts {
		d.run.Counts.Add(verdicts[i].Counts)
		if follow := verdicts[i].Follow; follow != nil {
			d.suspects = append(d.suspects, *follow)
		}
	}
}

func (d *drawnRun) expect(keys, drift, gone int64) {
	d.t.Helper()
	if c := d.run.Counts; c.RandomKeys != keys || c.RandomDrift != drift || c.RandomGone != gone {
		d.t.Errorf("of %d random keys %d differ, and %d are gone; not %d, %d and %d", c.RandomKeys, c.RandomDrift, c.RandomGone, keys, drift, gone)
	}
}

func TestKeyThatGoesAfterItWasDrawnIsNoneOfTheSample(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	for id := range 100 {
		p.put(p.owner, id, 1, time.Unix(0, 0))
		p.put(p.replica, id, 1+id%2, time.Unix(0, 0))
	}
	below := func(n int64) memory.Predicate {
		return func(get func(string) sources.Value) bool { return get("id").AsInt() < n }
	}
	d := p.draw(t, checks.Sample{Keys: 200, Random: 1})
	p.owner.Delete("records", below(10))
	p.replica.Delete("records", below(10))
	d.scan()
	d.expect(45, 0, 10)
	if rate, ok := d.run.DriftRate(); !ok || rate.Low > 0 || rate.High < 0.5 || rate.Population != 90 {
		t.Errorf("while 45 of 90 keys are in doubt, the share is %+v", rate)
	}
	p.owner.Delete("records", below(20)) // the copies remain
	p.replica.Delete("records", below(14))
	d.judge()
	d.judge() // the owner of some changed
	d.expect(88, 43, 12)
	if rate, ok := d.run.DriftRate(); !ok || rate.Low != rate.Estimate || rate.High != rate.Estimate {
		t.Errorf("of all keys the share is %+v", rate)
	}
}

func TestKeyOfManyCopiesDiffersWhileAnyCopyDoes(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	columns := []memory.Column{{Name: "id", FieldType: sources.FieldType{Kind: sources.KindInt}}, {Name: "copy", FieldType: sources.FieldType{Kind: sources.KindInt}},
		{Name: "value", FieldType: sources.FieldType{Kind: sources.KindInt}}, {Name: "changed", FieldType: sources.FieldType{Kind: sources.KindTime}}}
	p.replica.Create(memory.Table{Name: "records", Columns: columns, Unique: []string{"id", "copy"}})
	copyOf := func(id, n, value int64) {
		p.replica.Put("records", sources.Int(id), sources.Int(n), sources.Int(value), sources.Time(time.Unix(0, 0), 3))
	}
	for id := range int64(10) {
		p.put(p.owner, int(id), 1, time.Unix(0, 0))
		for n := range int64(5) {
			copyOf(id, n, 1)
		}
	}
	p.check.Edges[0].Replica.Dataset.ID = []string{"copy"}
	for n := range int64(4) { // of key 3 four of five copies differ, of key 4 the first
		copyOf(3, n, 2)
	}
	copyOf(4, 0, 2)
	d := p.draw(t, checks.Sample{Keys: 50, Random: 1})
	d.scan()
	d.expect(8, 0, 0)
	random := 0
	for _, s := range d.suspects {
		if s.Random == checks.OwnerSide {
			random++
		}
	}
	if len(d.suspects) != 5 || random != 2 {
		t.Fatalf("%d suspects, %d of them tell of random keys", len(d.suspects), random)
	}
	copyOf(3, 0, 1) // the copy that tells of its key is put right, and others are not
	copyOf(4, 0, 1)
	d.judge()
	d.expect(9, 0, 0)
	if d.run.Counts.Mismatch != 3 || len(d.suspects) != 1 || d.suspects[0].Random != checks.OwnerSide {
		t.Fatalf("%+v, and %d suspects follow", d.run.Counts, len(d.suspects))
	}
	d.judge()
	d.expect(10, 1, 0)
}

func TestSegmentOfKeysGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	for id := range 2500 {
		p.put(p.owner, id, 1, time.Unix(0, 0))
		p.put(p.replica, id, 1, time.Unix(0, 0))
	}
	d := p.draw(t, checks.Sample{Keys: 4000, Random: 1})
	segment, read, parts := d.drawn.Segments[0], int64(0), 0
	for done := false; !done; parts++ {
		err := d.audit.Scan(t.Context(), segment, func(part *checks.Part) error {
			segment.Span.After, done = part.Next, part.Done
			read += part.Records
			d.run.Counts.Add(part.Counts)
			return checks.ErrStopped
		})
		if err != checks.ErrStopped {
			t.Fatal(err)
		}
	}
	if parts != 3 || read != 2500 {
		t.Errorf("%d keys in %d parts", read, parts)
	}
	d.expect(2500, 0, 0)
}

func TestDrawnKeyWithoutCanonicalFormIsUnreadable(t *testing.T) {
	t.Parallel()
	p := makePair(t)
	columns := []memory.Column{{Name: "id", FieldType: sources.FieldType{Kind: sources.KindText}}, {Name: "value", FieldType: sources.FieldType{Kind: sources.KindInt}},
		{Name: "changed", FieldType: sources.FieldType{Kind: sources.KindTime}}}
	p.replica.Create(memory.Table{Name: "records", Columns: columns, Unique: []string{"id"}})
	for id := range 20 {
		p.put(p.owner, id, 1, time.Unix(0, 0))
		p.replica.Put("records", sources.Text("p-"+sources.Int(int64(id)).String()), sources.Int(1), sources.Time(time.Unix(0, 0), 3))
	}
	p.replica.Put("records", sources.Text("q-1"), sources.Int(1), sources.Time(time.Unix(0, 0), 3))
	p.check.Owner.Forms = []checks.KeyForm{{As: sources.KindInt}}
	p.check.Edges[0].Replica.Forms = []checks.KeyForm{{As: sources.KindText, Prefix: "p-"}}
	run := p.run(t, checks.Options{Sample: &checks.Sample{Keys: 100, Random: 1}})
	if c := run.Counts; run.Result != checks.Drift || c.Unreadable != 1 || c.Differences() != 1 || c.RandomExtras != 1 || c.RandomReplicaKeys != 21 || c.RandomKeys != 20 {
		t.Errorf("%s: %+v", run.Result, c)
	}
}
