package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// contract are the keys of `run -o json` that scripts rely on, in their order,
// by where they stand; [] is an item of a list.
func contract() map[string][]string {
	return map[string][]string{
		"": {"schema_version", "result", "runs"},
		"runs[]": {"id", "check", "result", "error", "started_at", "duration_seconds", "replica", "coverage", "scope_share", "plan",
			"suspects_pending", "counts", "drift_rate", "findings", "findings_omitted"},
		"runs[].counts": {"owner_records", "replica_records", "compared", "equal", "mismatch", "missing", "extra", "duplicate", "unreadable",
			"skipped", "suspects_cleared"},
		"runs[].drift_rate":                {"estimate", "low", "high", "confidence", "of"},
		"runs[].findings[]":                {"finding", "kind", "state", "key", "replica", "id", "first_seen", "last_seen", "fields"},
		"runs[].findings[].key.id":         {"type", "text"},
		"runs[].findings[].id.copy":        {"type", "text"},
		"runs[].findings[].fields[]":       {"owner_field", "replica_field", "owner", "replica", "rule"},
		"runs[].findings[].fields[].owner": {"type", "text"},
	}
}

// TestRunJSONKeepsTheContract runs the program in this process and walks what it wrote.
func TestRunJSONKeepsTheContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.db")
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
		CREATE TABLE items (copy INTEGER PRIMARY KEY, product INTEGER NOT NULL, name TEXT NOT NULL);
		INSERT INTO products VALUES (1,'apple'),(2,'pear'); INSERT INTO items VALUES (10,1,'appel'),(11,1,'apple'),(12,2,'bear')`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "plumbline.yaml")
	err = os.WriteFile(config, fmt.Appendf(nil, `
sources: {shop: {kind: sqlite, url: "sqlite://%s"}}
checks:
  names:
    settle: 0s
    owner: {source: shop, dataset: products, key: [id]}
    replica: {source: shop, dataset: items, key: [product], id: [copy]}
    fields: [name]
`, file), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), process{args: []string{"run", "-c", config, "-o", "json"}, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr})
	if code != 1 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	keys := map[string][]string{}
	if err := walk(json.NewDecoder(&stdout), "", keys); err != nil {
		t.Fatal(err)
	}
	for path, want := range contract() {
		got := slices.DeleteFunc(slices.Clone(keys[path]), func(key string) bool { return !slices.Contains(want, key) })
		if !slices.Equal(got, want) {
			t.Errorf("%q: got the keys %v, want %v in this order (others may stand between)", path, keys[path], want)
		}
	}
}

// walk notes the keys of each object in the order in which they were first written.
func walk(d *json.Decoder, path string, keys map[string][]string) error {
	token, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	for d.More() {
		below := path + "[]"
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := key.(string)
			if !slices.Contains(keys[path], name) {
				keys[path] = append(keys[path], name)
			}
			below = strings.TrimPrefix(path+"."+name, ".")
		}
		if err := walk(d, below, keys); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
