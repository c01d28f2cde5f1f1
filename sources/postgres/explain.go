package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"plumbline/sources"
)

// explainKeys is how many keys the look-up that is explained asks for.
const explainKeys = 100

// Explain shows the statements of a page in mid-scan, of a look-up and of the
// cuts, with the planner's own words. Nothing but a few keys is read for it.
func (s *source) Explain(ctx context.Context, d *sources.Dataset) ([]sources.Statement, error) {
	p, err := s.planFor(ctx, d)
	if err != nil {
		return nil, err
	}
	keys, err := s.someKeys(ctx, p)
	if err != nil {
		return nil, s.failed(p, err)
	}
	request := scanRequest{records: defaultRecords}
	params := p.someKey()
	if len(keys) > 0 {
		request.After = keys[0]
		few := make([]sources.Key, len(keys))
		for i, k := range keys {
			few[i] = sources.Key(k[:p.keys])
		}
		params = p.arrays(p.want(few).texts)
	}
	scan, err := p.scan(request)
	if err != nil {
		return nil, err
	}
	lookup, err := p.lookup(lookupRequest{params: params, records: 2 * defaultRecords})
	if err != nil {
		return nil, err
	}
	statements := []purpose{{"scan", scan, defaultRecords}, {"lookup", lookup, 2 * defaultRecords}}
	if bounds := p.boundsStatement(); bounds != nil {
		statements = append(statements, purpose{"split", bounds, 1})
	}
	out := make([]sources.Statement, len(statements))
	for i, st := range statements {
		if out[i], err = s.explained(ctx, st); err != nil {
			return nil, s.failed(p, fmt.Errorf("explain %s: %w", st.name, err))
		}
	}
	return out, nil
}

type purpose struct {
	name      string
	statement *statement
	page      int // rows it returns at most
}

func (s *source) explained(ctx context.Context, st purpose) (sources.Statement, error) {
	out := sources.Statement{Purpose: st.name, Text: st.statement.text}
	node, err := s.explain(ctx, st.statement, "")
	if err != nil {
		return out, err
	}
	words, err := s.run(ctx, &statement{text: "EXPLAIN " + st.statement.text, params: st.statement.params})
	if err != nil {
		return out, err
	}
	var lines []string
	for _, row := range words.texts() {
		lines = append(lines, row[0])
	}
	out.Plan = strings.Join(lines, "\n")
	out.Index = node.index()
	out.Sorts = node.sorts(st.page)
	read := node
	if out.Sorts {
		read = node.largest()
	}
	out.Records, out.Bytes = int64(read.Rows), int64(read.Rows*read.Width)
	return out, nil
}

// someKeys reads a few positions, in no order, from a table. A view or a query
// could have to do all its work for them; there are none of those.
func (s *source) someKeys(ctx context.Context, p *plan) ([]sources.Position, error) {
	if p.table == nil || p.table.kind == "v" || p.table.kind == "f" {
		return nil, nil
	}
	st := &statement{}
	st.text = fmt.Sprintf("SELECT %s FROM %s", p.list(st, true), p.from)
	for i, c := range p.scanBy {
		word := " AND "
		if i == 0 {
			word = " WHERE "
		}
		st.text += word + ident(c.name) + " IS NOT NULL"
	}
	st.text += fmt.Sprintf(" LIMIT %d", explainKeys)
	res, err := s.run(ctx, st)
	if err != nil {
		return nil, fmt.Errorf("read some keys of %s: %w", p.title(), err)
	}
	records, err := p.decoder(true).records(res)
	if err != nil {
		return nil, err
	}
	var keys []sources.Position
	for _, r := range records {
		if r.Unreadable == "" {
			keys = append(keys, sources.Position(append(r.Key, r.ID...)))
		}
	}
	return keys, nil
}

// node is a step of the planner's plan.
type node struct {
	Type      string  `json:"Node Type"`
	Index     string  `json:"Index Name"`
	Condition string  `json:"Index Cond"`
	Rows      float64 `json:"Plan Rows"`
	Width     float64 `json:"Plan Width"`
	Steps     []*node `json:"Plans"`
}

// explain asks how the server would run st, after setup.
func (s *source) explain(ctx context.Context, st *statement, setup string) (*node, error) {
	res, err := s.run(ctx, &statement{text: "EXPLAIN (FORMAT JSON) " + st.text, params: st.params, setup: setup})
	if err != nil {
		return nil, err
	}
	var plans []struct{ Plan *node }
	if rows := res.texts(); len(rows) == 1 {
		if err := json.Unmarshal([]byte(rows[0][0]), &plans); err != nil {
			return nil, fmt.Errorf("read the planner's answer: %w", err)
		}
	}
	if len(plans) != 1 || plans[0].Plan == nil {
		return nil, errors.New("the planner's answer holds no plan")
	}
	return plans[0].Plan, nil
}

// index is the first index that the plan reads.
func (n *node) index() string {
	for _, step := range n.Steps {
		if name := step.index(); name != "" {
			return name
		}
	}
	return n.Index
}

// condition is what the plan asks of its indexes.
func (n *node) condition() string {
	all := n.Condition
	for _, step := range n.Steps {
		all += step.condition()
	}
	return all
}

// sorts says whether some step sorts more than rows.
func (n *node) sorts(rows int) bool {
	for _, step := range n.Steps {
		if n.Type == "Sort" && step.Rows > float64(rows) || step.sorts(rows) {
			return true
		}
	}
	return false
}

// largest is the step that reads most.
func (n *node) largest() *node {
	most := n
	for _, step := range n.Steps {
		if l := step.largest(); l.Rows > most.Rows {
			most = l
		}
	}
	return most
}
