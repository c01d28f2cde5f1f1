package postgres

import (
	"context"
	"testing"
	"time"

	"plumbline/sources"
)

// A shape is asked for after every page: it locks none of a table's partitions,
// and waits for nobody who does.
func TestAShapeIsToldWhileOthersHoldPartitions(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, "")
	d.exec(`CREATE TABLE parted (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id)`)
	d.exec(`CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id)`)
	d.exec(`CREATE TABLE parted_1_1 PARTITION OF parted_1 FOR VALUES FROM (0) TO (5)`)
	d.exec(`CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)`)
	s, dataset := d.open(), &sources.Dataset{Name: "parted", Key: []string{"id"}, Fields: []string{"v"}}
	ask := func() string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		schema, err := s.Schema(ctx, dataset)
		if err != nil || len(schema.Fields) != 2 {
			t.Fatalf("%+v, %v", schema, err)
		}
		return schema.Identity
	}
	first := ask()
	d.exec("BEGIN; LOCK TABLE parted_1, parted_2 IN ACCESS EXCLUSIVE MODE")
	if held := ask(); held != first {
		t.Errorf("while it is locked: %s, was %s", held, first)
	}
	d.exec("COMMIT; CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30)")
	if grown := ask(); grown != first {
		t.Errorf("with another partition: %s, was %s", grown, first)
	}
	d.exec("TRUNCATE parted_1_1")
	if emptied := ask(); emptied == first {
		t.Errorf("the oldest partition was emptied: %s still", emptied)
	}
}
