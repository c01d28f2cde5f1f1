package sqlite

import (
	"context"
	"strings"

	"plumbline/sources"
)

// queryPlan is what EXPLAIN QUERY PLAN says.
type queryPlan struct {
	text  string
	index string // the first index it searches or scans
	sorts bool
}

func (r reading) plan(text string, args []any) (p queryPlan, err error) {
	args = append(make([]any, 0, len(args)), args...)
	for n := strings.Count(text, "?"); len(args) < n; { // parameters of an example, whose values do not matter
		args = append(args, nil)
	}
	var lines []string
	err = r.each("EXPLAIN QUERY PLAN "+text, args, func(v []any) (bool, error) {
		line, _ := v[3].(string)
		lines = append(lines, line)
		if strings.Contains(line, "USE TEMP B-TREE FOR") && strings.Contains(line, "ORDER BY") {
			p.sorts = true
		}
		if p.index == "" {
			p.index = indexOf(line)
		}
		return true, nil
	})
	p.text = strings.Join(lines, "\n")
	return p, err
}

// indexOf finds the index that a line of a plan names. An automatic index is
// made for one statement, from the whole table, and serves nobody.
func indexOf(line string) string {
	for _, word := range []string{" USING INDEX ", " USING COVERING INDEX "} {
		if _, rest, ok := strings.Cut(line, word); ok {
			name, _, _ := strings.Cut(rest, " (")
			return name
		}
	}
	if strings.Contains(line, " USING INTEGER PRIMARY KEY") {
		return "rowid"
	}
	if strings.Contains(line, " USING PRIMARY KEY") {
		return "primary key"
	}
	return ""
}

// Explain implements sources.Explainer.
func (s *source) Explain(ctx context.Context, d *sources.Dataset) (statements []sources.Statement, err error) {
	count, err := s.Count(ctx, d)
	if err != nil {
		return nil, err
	}
	err = s.readDataset(ctx, d, func(tx reading, c *compiled) error {
		scan, scanArgs := c.scanText(c.example(), true)
		lookup, _ := c.lookupText(3, 1001)
		for _, one := range []struct {
			purpose, text, index string
			args                 []any
		}{{"scan", scan, c.scanName, scanArgs}, {"lookup", lookup, c.keyName, nil}} {
			p, err := tx.plan(one.text, one.args)
			if err != nil {
				return err
			}
			st := sources.Statement{Purpose: one.purpose, Text: one.text, Plan: p.text, Index: one.index, Sorts: p.sorts && one.purpose == "scan"}
			if one.index == "" {
				st.Records = count
			}
			statements = append(statements, st)
		}
		return nil
	})
	return statements, err
}
