package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumbline/sources"
)

// explainKeys is how many keys the look-up that is explained asks for.
const explainKeys = 100

// step is a line of the optimizer's plan.
type step struct {
	access string // const, range, index, ALL …
	key    string // the index that is used
	rows   int64
	extra  string
	words  string
}

func (s step) sorts() bool { return strings.Contains(s.extra, "Using filesort") }

// explain asks how the server would run a statement.
func (s *source) explain(ctx context.Context, text string) ([]step, error) {
	rows, err := s.facts(ctx, "EXPLAIN "+text)
	if err != nil {
		return nil, err
	}
	steps := make([]step, len(rows))
	for i, r := range rows {
		count, _ := strconv.ParseInt(r["ROWS"], 10, 64) // null where the optimizer has no estimate
		steps[i] = step{access: r["TYPE"], key: r["KEY"], rows: count, extra: r["EXTRA"]}
		var words []string
		for _, name := range []string{"ID", "SELECT_TYPE", "TABLE", "TYPE", "POSSIBLE_KEYS", "KEY", "KEY_LEN", "REF", "ROWS", "EXTRA"} {
			if r[name] != "" {
				words = append(words, strings.ToLower(name)+" "+r[name])
			}
		}
		steps[i].words = strings.Join(words, ", ")
	}
	return steps, nil
}

// Explain shows the statements of a page in mid-scan, of a look-up and of the
// cuts, with the optimizer's own words. Nothing but a few keys is read for it.
func (s *source) Explain(ctx context.Context, d *sources.Dataset) ([]sources.Statement, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, err
	}
	statements, err := s.purposes(ctx, p)
	if err != nil {
		return nil, s.failed(p, err)
	}
	out := make([]sources.Statement, 0, len(statements))
	for _, st := range statements {
		explained, err := s.explained(ctx, p, st)
		if err != nil {
			return nil, s.failed(p, fmt.Errorf("explain %s: %w", st.name, err))
		}
		out = append(out, explained)
	}
	return out, nil
}

// purpose is a statement with what it is for.
type purpose struct {
	name, text string
	page       int64 // rows it returns at most
}

func (s *source) purposes(ctx context.Context, p *plan) ([]purpose, error) {
	keys, err := s.someKeys(ctx, p)
	if err != nil {
		return nil, err
	}
	span, constants := sources.Span{}, p.someKey()
	if len(keys) > 0 {
		span.After = sources.Position(slices.Concat(keys[0].Key, keys[0].ID))
		few := make([]sources.Key, len(keys))
		for i, k := range keys {
			few[i] = k.Key
		}
		if w := p.want(few); len(w.constants) > 0 {
			constants = w.constants
		}
	}
	scan, err := p.compose(p.scan(span, false, false), defaultRecords)
	if err != nil {
		return nil, err
	}
	lookup, err := p.compose(p.lookup(constants, nil, false), 2*defaultRecords)
	if err != nil {
		return nil, err
	}
	all := []purpose{{"scan", scan.text, defaultRecords}, {"lookup", lookup.text, 2 * defaultRecords}}
	if p.cuttable() {
		least, err := p.extreme(false)
		if err != nil {
			return nil, err
		}
		all = append(all, purpose{"split", least.text, 1})
	}
	return all, nil
}

func (s *source) explained(ctx context.Context, p *plan, st purpose) (sources.Statement, error) {
	out := sources.Statement{Purpose: st.name, Text: st.text}
	steps, err := s.explain(ctx, st.text)
	if err != nil {
		return out, err
	}
	var lines []string
	for _, step := range steps {
		lines = append(lines, step.words)
		if out.Index == "" {
			out.Index = step.key
		}
		out.Sorts = out.Sorts || step.sorts() && step.rows > st.page
		out.Records = max(out.Records, step.rows)
	}
	if !out.Sorts {
		out.Records = min(out.Records, st.page)
	}
	out.Plan = strings.Join(lines, "\n")
	out.Bytes = out.Records * p.rowBytes.Load()
	return out, nil
}

// someKeys reads a few keys, in no order, from a table. A view or a query could
// have to do all its work for them; there are none of those.
func (s *source) someKeys(ctx context.Context, p *plan) ([]sources.Record, error) {
	if !p.base {
		return nil, nil
	}
	st := &statement{}
	conditions := make([]string, len(p.scanBy))
	for i, c := range p.scanBy {
		conditions[i] = ident(c.name) + " IS NOT NULL"
	}
	st.text = fmt.Sprintf("SELECT %s FROM %s%s LIMIT %d", p.list(st, true), p.from, where(conditions), explainKeys)
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, fmt.Errorf("read some keys of %s: %w", p.title(), err)
	}
	records, err := p.decoder(true).records(res)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(records, func(r sources.Record) bool { return r.Unreadable != "" }), nil
}
