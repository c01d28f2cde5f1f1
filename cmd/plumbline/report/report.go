// Package report turns what runs found into what people and programs read:
// masked once, here, and then written as a table, JSON, NDJSON, CSV, JUnit or
// Markdown. The JSON keys are promises: add, never rename.
package report

import (
	"bytes"
	"encoding/json"
	"time"

	"plumbline/checks"
	"plumbline/drift"
)

// Report is the outcome of one command: one Run per edge.
type Report struct {
	SchemaVersion int           `json:"schema_version"`
	Result        checks.Result `json:"result"`
	Runs          []*Run        `json:"runs"`
}

// Run is the run of one edge.
type Run struct {
	ID        string        `json:"id"`
	Check     string        `json:"check"`
	Result    checks.Result `json:"result"`
	Error     string        `json:"error"`
	StartedAt Time          `json:"started_at"`
	Duration  float64       `json:"duration_seconds"`
	Replica   string        `json:"replica"`
	Coverage  float64       `json:"coverage"`
	// ScopeShare is the share of the whole dataset that was compared; null when unknown.
	ScopeShare *float64   `json:"scope_share"`
	Plan       string     `json:"plan"`
	Pending    int64      `json:"suspects_pending"`
	Counts     Counts     `json:"counts"`
	DriftRate  *DriftRate `json:"drift_rate"`
	// ExtraRate and Sample are of a run that compares a sample; null otherwise.
	ExtraRate *DriftRate `json:"extra_rate"`
	Sample    *Sample    `json:"sample"`
	Findings  []Finding  `json:"findings"`
	Omitted   int64      `json:"findings_omitted"`
	// Unread is about how many records were to be compared and never read.
	Unread     int64    `json:"unread"`
	Reasons    []string `json:"reasons"`
	PlanDetail string   `json:"plan_detail"`
	Sources    Sides    `json:"sources"`
}

// Sides names the source on each side.
type Sides struct {
	Owner   string `json:"owner"`
	Replica string `json:"replica"`
}

// Counts are what a run saw; see checks.Counts.
type Counts struct {
	OwnerRecords    int64 `json:"owner_records"`
	ReplicaRecords  int64 `json:"replica_records"`
	Compared        int64 `json:"compared"`
	Equal           int64 `json:"equal"`
	Mismatch        int64 `json:"mismatch"`
	Missing         int64 `json:"missing"`
	Extra           int64 `json:"extra"`
	Duplicate       int64 `json:"duplicate"`
	Unreadable      int64 `json:"unreadable"`
	Skipped         int64 `json:"skipped"`
	SuspectsCleared int64 `json:"suspects_cleared"`
	Unsettled       int64 `json:"unsettled"`
}

// DriftRate is the share of what was compared that differs.
type DriftRate struct {
	Estimate   float64 `json:"estimate"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
	Of         string  `json:"of"`
	// Keys is how many keys drawn at random a sample's rate is told from, of
	// Population, which is left out where it was not counted.
	Keys       int64 `json:"keys,omitempty"`
	Population int64 `json:"population,omitempty"`
}

// Finding is one confirmed difference.
type Finding struct {
	Finding   string                `json:"finding"`
	Kind      checks.DifferenceKind `json:"kind"`
	State     string                `json:"state"`
	Key       drift.Named           `json:"key"`
	Replica   string                `json:"replica"`
	ID        drift.Named           `json:"id"`
	FirstSeen Time                  `json:"first_seen"`
	LastSeen  Time                  `json:"last_seen"`
	Fields    []drift.Field         `json:"fields"`
	Reason    string                `json:"reason"`

	// keyText is the key as --key and diff read it; "" where it may not be shown.
	keyText string
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// Time prints in RFC 3339, in UTC, to the millisecond.
type Time time.Time

// String writes the time.
func (t Time) String() string { return time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z") }

// MarshalText writes the time.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
