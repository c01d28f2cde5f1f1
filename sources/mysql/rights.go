package mysql

import (
	"context"
	"fmt"
	"strings"
)

// indexColumns is an index as far as writes are concerned.
type indexColumns struct {
	name        string
	unique      bool
	columns     []string
	expressions []string // of MySQL's functional key parts
	partial     bool     // it holds but the beginning of some column
}

// indexColumns lists the indexes of a plan's table.
func (s *source) indexColumns(ctx context.Context, p *plan) (all []indexColumns, err error) {
	expression := "''"
	if has, err := s.texts(ctx, `SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'STATISTICS' AND COLUMN_NAME = 'EXPRESSION'`); err != nil {
		return nil, err
	} else if len(has) > 0 {
		expression = "coalesce(EXPRESSION, '')"
	}
	rows, err := s.texts(ctx, `SELECT INDEX_NAME, NON_UNIQUE, coalesce(COLUMN_NAME, ''), coalesce(SUB_PART, 0), `+expression+`
		FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX`, p.schema, p.table)
	if err != nil {
		return nil, fmt.Errorf("look up the indexes of %s: %w", p.title(), err)
	}
	for _, r := range rows {
		if len(all) == 0 || all[len(all)-1].name != r[0] {
			all = append(all, indexColumns{name: r[0], unique: r[1] == "0"})
		}
		x := &all[len(all)-1]
		if r[2] != "" {
			x.columns = append(x.columns, r[2])
		}
		if r[4] != "" {
			x.expressions = append(x.expressions, unescaped(r[4]))
		}
		x.partial = x.partial || r[3] != "0"
	}
	return all, nil
}

// has says whether our role was granted a right: everywhere, or, where a schema
// is given, on it or the table. Rights by way of a role may go unseen.
func (s *source) has(ctx context.Context, right, schema, table string) (bool, error) {
	rows, err := s.texts(ctx, "SELECT CURRENT_USER()")
	if err != nil {
		return false, fmt.Errorf("ask for our rights: %w", err)
	}
	at := strings.LastIndex(rows[0][0], "@")
	grantee := fmt.Sprintf("'%s'@'%s'", rows[0][0][:at], rows[0][0][at+1:])
	rows, err = s.texts(ctx, `SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = ? AND PRIVILEGE_TYPE = ?
		UNION ALL SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE = ? AND PRIVILEGE_TYPE = ? AND ? LIKE TABLE_SCHEMA
		UNION ALL SELECT 1 FROM information_schema.TABLE_PRIVILEGES WHERE GRANTEE = ? AND PRIVILEGE_TYPE = ? AND TABLE_SCHEMA = ? AND TABLE_NAME = ?`,
		grantee, right, grantee, right, schema, grantee, right, schema, table)
	if err != nil {
		return false, fmt.Errorf("ask for our rights: %w", err)
	}
	return len(rows) > 0, nil
}
