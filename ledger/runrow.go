package ledger

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"

	"plumbline/checks"
	"plumbline/sources"
)

// countsDocument is checks.Counts as it is kept.
type countsDocument struct {
	OwnerRecords    int64 `json:"owner_records"`
	ReplicaRecords  int64 `json:"replica_records"`
	Equal           int64 `json:"equal"`
	Mismatch        int64 `json:"mismatch"`
	Missing         int64 `json:"missing"`
	Extra           int64 `json:"extra"`
	Duplicate       int64 `json:"duplicate"`
	Unreadable      int64 `json:"unreadable"`
	Skipped         int64 `json:"skipped"`
	Unsettled       int64 `json:"unsettled"`
	SuspectsCleared int64 `json:"suspects_cleared"`

	RandomKeys        int64 `json:"random_keys,omitempty"`
	RandomDrift       int64 `json:"random_drift,omitempty"`
	RandomGone        int64 `json:"random_gone,omitempty"`
	RandomReplicaKeys int64 `json:"random_replica_keys,omitempty"`
	RandomExtras      int64 `json:"random_extras,omitempty"`
	RandomReplicaGone int64 `json:"random_replica_gone,omitempty"`
}

// planDocument is checks.Plan as it is kept.
type planDocument struct {
	Kind   string         `json:"kind,omitempty"`
	Passes []passDocument `json:"passes,omitempty"`
	Raw    bool           `json:"raw,omitempty"`
	Why    []string       `json:"why,omitempty"`
	Blind  []string       `json:"blind,omitempty"`

	Sampled    string `json:"sampled,omitempty"`
	SampleKeys int64  `json:"sample_keys,omitempty"`
}

type passDocument struct {
	Drive    string `json:"drive"`
	Presence bool   `json:"presence,omitempty"`
}

func writePlan(p checks.Plan) (string, error) {
	d := planDocument{Kind: string(p.Kind), Raw: p.Raw, Why: p.Why, Blind: p.Blind, Sampled: p.Sampled, SampleKeys: p.SampleKeys}
	for _, pass := range p.Passes {
		d.Passes = append(d.Passes, passDocument{string(pass.Drive), pass.Presence})
	}
	return document(d)
}

func readPlan(s string) (p checks.Plan, err error) {
	var d planDocument
	if err := undocument(s, &d); err != nil {
		return p, err
	}
	p = checks.Plan{Kind: checks.PlanKind(d.Kind), Raw: d.Raw, Why: d.Why, Blind: d.Blind, Sampled: d.Sampled, SampleKeys: d.SampleKeys}
	for _, pass := range d.Passes {
		p.Passes = append(p.Passes, checks.Pass{Drive: checks.Role(pass.Drive), Presence: pass.Presence})
	}
	return p, nil
}

func writeCounts(c checks.Counts) (string, error) { return document(countsDocument(c)) }

func readCounts(s string) (checks.Counts, error) {
	var d countsDocument
	err := undocument(s, &d)
	return checks.Counts(d), err
}

// writeKeys keeps the keys that a run was given, each by its encoding.
func (k *keyring) writeKeys(keys []sources.Key) (string, error) {
	if len(keys) == 0 {
		return "", nil
	}
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = base64.StdEncoding.EncodeToString(k.encodeKey(key))
	}
	return document(list)
}

func (k *keyring) readKeys(s string) (keys []sources.Key, err error) {
	var list []string
	if err := undocument(s, &list); err != nil {
		return nil, err
	}
	for _, one := range list {
		b, err := base64.StdEncoding.DecodeString(one)
		if err != nil {
			return nil, fmt.Errorf("read a key: %w", err)
		}
		key, err := k.decodeKey(b)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

const runColumns = `id, number, check_name, replica, cause, actor, slot_at, generation, state, result, error, given, plan,
	estimate, records_read, counts, unread, pending, omitted, copies, reasons, waits, coverage, created_at, started_at,
	ended_at, finished_at, cancel_requested, cancelled_by, segments, segments_done, term, hash, asked, sample, seed, sampled, shape`

const selectRun = `SELECT ` + runColumns + ` FROM runs`

func (k *keyring) scanRun(rows *sql.Rows) (*Run, error) {
	r := &Run{}
	var slot, created, started, ended, finished int64
	var trigger, state, result, given, plan, counts, reasons, waits string
	var drawn draw
	var seed int64
	err := rows.Scan(&r.ID, &r.Number, &r.Check, &r.Replica, &trigger, &r.Actor, &slot, &r.Generation, &state, &result, &r.Error,
		&given, &plan, &r.Estimate, &r.Read, &counts, &r.Unread, &r.Pending, &r.Omitted, &r.Copies, &reasons, &waits, &r.Coverage,
		&created, &started, &ended, &finished, &r.CancelRequested, &r.CancelledBy, &r.Segments, &r.SegmentsDone, &r.Term, &r.Hash,
		&drawn.asked, &drawn.sample, &seed, &drawn.sampled, &r.Shape)
	if err != nil {
		return nil, err
	}
	r.Seed = uint64(seed)
	if err := drawn.read(r); err != nil {
		return nil, err
	}
	r.Trigger, r.State, r.Result = Trigger(trigger), RunState(state), checks.Result(result)
	r.SlotAt, r.CreatedAt, r.StartedAt, r.EndedAt, r.FinishedAt = timeOf(slot), timeOf(created), timeOf(started), timeOf(ended), timeOf(finished)
	if r.Keys, err = k.readKeys(given); err != nil {
		return nil, err
	}
	if r.Plan, err = readPlan(plan); err != nil {
		return nil, err
	}
	if r.Counts, err = readCounts(counts); err != nil {
		return nil, err
	}
	r.Reasons, r.Waits = map[string]int64{}, map[string]int64{}
	if err := undocument(reasons, &r.Reasons); err != nil {
		return nil, err
	}
	return r, undocument(waits, &r.Waits)
}

// runRow finds one run by its id.
func runRow(ctx context.Context, k *keyring, from querier, id string) (*Run, error) {
	list, err := collect(ctx, from, k.scanRun, selectRun+` WHERE id = $1`, id)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(list) == 0 {
		return nil, &NotFoundError{What: "run", Name: id}
	}
	return list[0], nil
}

// save writes what may have changed of a run. Whoever calls holds its edge.
func (tx *Tx) save(ctx context.Context, r *Run) error {
	plan, err := writePlan(r.Plan)
	if err != nil {
		return err
	}
	counts, err := writeCounts(r.Counts)
	if err != nil {
		return err
	}
	reasons, err := document(r.Reasons)
	if err != nil {
		return err
	}
	waits, err := document(r.Waits)
	if err != nil {
		return err
	}
	drawn, err := writeDraw(r)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE runs SET generation = $1, state = $2, result = $3, error = $4, plan = $5, estimate = $6, records_read = $7,
			counts = $8, unread = $9, pending = $10, omitted = $11, copies = $12, reasons = $13, waits = $14, coverage = $15,
			started_at = $16, ended_at = $17, finished_at = $18, cancel_requested = $19, cancelled_by = $20, segments = $21,
			segments_done = $22, term = $23, asked = $24, sample = $25, sampled = $26
		WHERE id = $27`,
		r.Generation, string(r.State), string(r.Result), text(r.Error), plan, r.Estimate, r.Read, counts, r.Unread, r.Pending, r.Omitted,
		r.Copies, reasons, waits, r.Coverage, millis(r.StartedAt), millis(r.EndedAt), millis(r.FinishedAt), r.CancelRequested,
		text(r.CancelledBy), r.Segments, r.SegmentsDone, r.Term, drawn.asked, drawn.sample, drawn.sampled, r.ID)
	if err != nil {
		return fmt.Errorf("save run %s: %w", r.ID, err)
	}
	tx.tell(Change{Topic: "run", Check: r.Check, Replica: r.Replica, ID: r.ID})
	return nil
}
