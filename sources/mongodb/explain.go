package mongodb

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"plumbline/sources"
)

// explainRecords is the page size of the commands that Explain shows.
const explainRecords = 500

// Explain shows the commands of a scan, a lookup of some keys that were sampled,
// and a split, and how the server would run them.
func (s *source) Explain(ctx context.Context, d *sources.Dataset) ([]sources.Statement, error) {
	p, f, err := s.ready(ctx, d)
	if err != nil {
		return nil, err
	}
	found, err := s.sample(ctx, p, f)
	if err != nil {
		return nil, err
	}
	records, err := s.Count(ctx, d)
	if err != nil {
		return nil, err
	}
	keys := found.keys
	if len(keys) == 0 { // any key finds the same index
		key := make(sources.Key, len(p.Key))
		for i := range key {
			key[i] = sources.Int(0)
		}
		keys = []sources.Key{key}
	}
	match, err := matchKeys(p.Key, keys)
	if err != nil {
		return nil, err
	}
	scan, lookup, err := s.shown(p, f, match)
	if err != nil {
		return nil, err
	}
	statements := []sources.Statement{{Purpose: "scan", Records: records}, {Purpose: "lookup", Records: int64(len(keys))}}
	commands := []bson.D{scan, lookup}
	if !f.sorted {
		n, err := s.documents(ctx, p.Name)
		if err != nil {
			return nil, err
		}
		statements = append(statements, sources.Statement{Purpose: "split", Records: min(n, mostDrawn)})
		commands = append(commands, splitCommand(p.Name, f.home, n, 16))
	}
	for i, command := range commands {
		if err := s.explain(ctx, command, &statements[i]); err != nil {
			return nil, err
		}
	}
	return statements, nil
}

// shown are a scan's first command and a lookup's.
func (s *source) shown(p *dataset, f *facts, match any) (scan, lookup bson.D, err error) {
	b := s.builder(p, false, sources.Limit{Records: explainRecords, Bytes: 8 << 20})
	if f.sorted {
		return aggregate(p.Name, b.sortedStages(nil, nil, nil, explainRecords+1), explainRecords+1),
			aggregate(p.Name, b.sortedStages(match, nil, nil, explainRecords+1), explainRecords+1), nil
	}
	legs, err := legsOf(nil, nil, f.home)
	if err != nil {
		return nil, nil, err
	}
	return legs[0].command(p.Name, and(p.filter, p.scope), b.shape.projection, explainRecords),
		find(p.Name, and(match, p.filter, p.scope), b.shape.projection, explainRecords+1), nil
}

// explain fills in a statement's text and plan.
func (s *source) explain(ctx context.Context, command bson.D, st *sources.Statement) error {
	text, err := bson.MarshalExtJSON(s.bounded(command, s.plainConcern.Load()), false, false)
	if err != nil {
		return fmt.Errorf("write the command as extended JSON: %w", err)
	}
	st.Text = string(text)
	answer, err := s.run(ctx, s.database, bson.D{{Key: "explain", Value: command}, {Key: "verbosity", Value: "queryPlanner"}, s.timeout()})
	if err != nil {
		return err
	}
	var plan plan
	plan.walk(answer)
	st.Plan = strings.Join(plan.stages, " ← ")
	st.Index = strings.Join(plan.indexes, ", ")
	st.Sorts = plan.sorts
	return nil
}

// plan is what an explained command would do.
type plan struct {
	stages, indexes []string
	sorts           bool
}

// walk gathers the stages of winning plans, outermost first, wherever the
// answer has them: its form differs for a find, an aggregation and shards.
func (p *plan) walk(d bson.Raw) {
	members, err := d.Elements()
	if err != nil {
		return
	}
	for _, m := range members {
		switch name, v := m.Key(), m.Value(); name {
		case "stage":
			p.add(v)
		case "indexName":
			if index, ok := v.StringValueOK(); ok {
				p.indexes = append(p.indexes, index)
				p.stages = append(p.stages, index)
			}
		case "$sort":
			p.stages, p.sorts = append([]string{"$sort"}, p.stages...), true
		case "rejectedPlans", "command", "parsedQuery", "serverInfo", "serverParameters":
		default:
			if inner, ok := v.DocumentOK(); ok {
				p.walk(inner)
			} else if list, ok := v.ArrayOK(); ok {
				p.walk(bson.Raw(list))
			}
		}
	}
}

func (p *plan) add(v bson.RawValue) {
	stage, ok := v.StringValueOK()
	if !ok {
		return
	}
	p.sorts = p.sorts || stage == "SORT"
	p.stages = append(p.stages, stage)
}
