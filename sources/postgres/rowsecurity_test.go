package postgres

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"plumbline/sources"
)

// Rows that a policy would hide from our role are never taken for missing: every
// read of such a table is an error that says what to do.
func TestRowLevelSecurity(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	suffix := strings.TrimPrefix(d.url.Path, "/plumbline_")
	reader, keeper := "plumbline_reader_"+suffix, "plumbline_keeper_"+suffix
	d.exec(fmt.Sprintf(`CREATE ROLE %[1]s LOGIN; CREATE ROLE %[2]s LOGIN; CREATE SCHEMA shop; GRANT USAGE, CREATE ON SCHEMA shop TO %[1]s, %[2]s;
		CREATE TABLE shop.mine (id int PRIMARY KEY, owner text); INSERT INTO shop.mine VALUES (1, %[3]s), (2, 'other');
		ALTER TABLE shop.mine OWNER TO %[2]s; GRANT SELECT ON shop.mine TO %[1]s; ALTER TABLE shop.mine ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON shop.mine USING (owner = current_user);
		CREATE TABLE shop.later (id int PRIMARY KEY); INSERT INTO shop.later VALUES (1), (2); GRANT SELECT ON shop.later TO %[1]s;
		CREATE VIEW shop.all_of_it AS SELECT * FROM shop.mine; ALTER VIEW shop.all_of_it OWNER TO %[2]s; GRANT SELECT ON shop.all_of_it TO %[1]s;
		CREATE VIEW shop.part_of_it AS SELECT * FROM shop.mine; ALTER VIEW shop.part_of_it OWNER TO %[1]s`,
		ident(reader), ident(keeper), literal(reader)))
	t.Cleanup(func() {
		d.exec(fmt.Sprintf("DROP OWNED BY %[1]s, %[2]s; DROP ROLE %[1]s, %[2]s", ident(reader), ident(keeper)))
	})
	key := []string{"id"}
	mine := &sources.Dataset{Name: "shop.mine", Key: key}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || sources.FailureOf(err) != sources.FailureFinal || !strings.Contains(err.Error(), "BYPASSRLS") {
			t.Errorf("%s: %v", what, err)
		}
	}
	sees := func(what string, role string, ds *sources.Dataset) {
		t.Helper()
		records, err := tryScan(t.Context(), d.openWith(sources.Options{URL: d.as(url.User(role))}), ds, sources.ScanRequest{})
		if err != nil || len(records) != 2 {
			t.Errorf("%s: %d rows of 2, %v", what, len(records), err)
		}
	}

	s := d.openWith(sources.Options{URL: d.as(url.User(reader))})
	_, err := s.Describe(t.Context(), mine)
	refused("describe", err)
	if err != nil && !strings.Contains(err.Error(), "shop.mine for role "+reader) {
		t.Errorf("describe: %v", err)
	}
	for what, ds := range map[string]*sources.Dataset{
		"the table":                           mine,
		"a query":                             {Query: "SELECT id FROM shop.mine", Key: key},
		"a view of one who sees a part":       {Name: "shop.part_of_it", Key: key},
		"a where that looks into it":          {Name: "shop.later", Key: key, Where: "id IN (SELECT id FROM shop.mine)"},
		"a deleted_when that looks into it":   {Name: "shop.later", Key: key, DeletedWhen: "id NOT IN (SELECT id FROM shop.mine)"},
		"a where that turns the setting back": {Name: "shop.mine", Key: key, Where: "set_config('row_security', 'on', true) = 'on'"},
	} {
		records, err := tryScan(t.Context(), s, ds, sources.ScanRequest{})
		refused(fmt.Sprintf("a scan of %s: %d rows", what, len(records)), err)
		page, err := s.Lookup(t.Context(), ds, []sources.Key{{sources.Int(2)}}, nil, sources.Limit{Records: 10, Bytes: 1 << 20})
		refused(fmt.Sprintf("a look-up in %s: %d rows", what, page.Len()), err)
	}

	// A session that was talked into row security still does without.
	talked := d.openWith(sources.Options{URL: d.as(url.User(reader)), Connections: 1})
	scanAll(t, talked, &sources.Dataset{Name: "shop.later", Key: key, Where: "set_config('row_security', 'on', false) = 'on'"}, sources.ScanRequest{})
	_, err = tryScan(t.Context(), talked, &sources.Dataset{Query: "SELECT id FROM shop.mine", Key: key}, sources.ScanRequest{})
	refused("a session whose setting was turned back", err)

	later := &sources.Dataset{Name: "shop.later", Key: key}
	sees("a table without a policy", reader, later)
	scanAll(t, s, later, sources.ScanRequest{})
	d.exec("ALTER TABLE shop.later ENABLE ROW LEVEL SECURITY")
	_, err = tryScan(t.Context(), s, later, sources.ScanRequest{})
	refused("a table that gets a policy while it is read", err)

	sees("the table's owner", keeper, mine)
	sees("a view whose owner sees all", reader, &sources.Dataset{Name: "shop.all_of_it", Key: key})
	d.exec("ALTER TABLE shop.mine FORCE ROW LEVEL SECURITY")
	_, err = d.openWith(sources.Options{URL: d.as(url.User(keeper))}).Describe(t.Context(), mine)
	refused("an owner on whom the policies are forced", err)
	d.exec("ALTER ROLE " + ident(reader) + " BYPASSRLS")
	sees("a role that bypasses policies", reader, mine)
}
