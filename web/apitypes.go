package web

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/drift"
)

// What the API says, in JSON. The keys are promises, the same as those of
// `plumbline run -o json`: add, never rename. Values are exact, times RFC 3339
// in UTC and null where there is none.

// ListBody is one page of a list, and where the next begins.
type ListBody[T any] struct {
	Items []T `json:"items" nullable:"false"`
	// Next goes into after= of the next request; "" after the last page.
	Next string `json:"next" doc:"What to ask for with after= to read on; empty after the last page."`
}

// Instant is a time as the API writes it.
type Instant time.Time

// MarshalJSON writes RFC 3339 in UTC to the millisecond, or null.
func (t Instant) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.String())
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Instant) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Instant{}
		return nil
	}
	return json.Unmarshal(b, (*time.Time)(t))
}

// String writes the time; "" where there is none.
func (t Instant) String() string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z")
}

// Schema says what MarshalJSON writes.
func (Instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

// NamedBody are the parts of a key or an id, in JSON an object in their declared order.
type NamedBody drift.Named

// MarshalJSON keeps the declared order.
func (n NamedBody) MarshalJSON() ([]byte, error) { return drift.Named(n).MarshalJSON() }

// UnmarshalJSON keeps the order in which the parts were written.
func (n *NamedBody) UnmarshalJSON(b []byte) error { return (*drift.Named)(n).UnmarshalJSON(b) }

// Schema says what MarshalJSON writes.
func (NamedBody) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: r.Schema(reflect.TypeFor[drift.Value](), true, "Value"),
		Description: "The parts by the names of their fields."}
}

// CheckBody is a check with what is remembered of its edges.
type CheckBody struct {
	Name            string     `json:"name"`
	Description     string     `json:"description"`
	Severity        string     `json:"severity"`
	Team            string     `json:"team"`
	Runbook         string     `json:"runbook"`
	Schedule        string     `json:"schedule" doc:"As declared; empty where it runs by hand alone."`
	IntervalSeconds float64    `json:"interval_seconds"`
	NextRunAt       Instant    `json:"next_run_at"`
	Owner           SideBody   `json:"owner"`
	Consistency     string     `json:"consistency" enum:"In sync,In sample,Drifted,Unknown" doc:"The worst of its edges."`
	Bound           float64    `json:"consistency_bound" doc:"Where the consistency is In sample, the most that may differ, as a share; else 0."`
	Health          string     `json:"health" enum:"OK,Failing,Stale,Paused,Throttled" doc:"The worst of its edges."`
	OpenFindings    int64      `json:"open_findings"`
	Edges           []EdgeBody `json:"edges" nullable:"false"`
}

// SideBody names a dataset.
type SideBody struct {
	Source  string   `json:"source"`
	Kind    string   `json:"kind"`
	Dataset string   `json:"dataset"`
	Key     []string `json:"key" nullable:"false"`
	ID      []string `json:"id" nullable:"false"`
}

// EdgeBody is a check's owner and one replica.
type EdgeBody struct {
	Replica         string      `json:"replica" doc:"The edge's name within its check."`
	Side            SideBody    `json:"side"`
	SettleSeconds   float64     `json:"settle_seconds"`
	Consistency     string      `json:"consistency" enum:"In sync,In sample,Drifted,Unknown"`
	Bound           float64     `json:"consistency_bound" doc:"Where the consistency is In sample, the most that may differ, as a share; else 0."`
	Since           Instant     `json:"since"`
	Health          string      `json:"health" enum:"OK,Failing,Stale,Paused,Throttled"`
	Coverage        float64     `json:"coverage"`
	ScopeShare      *float64    `json:"scope_share" nullable:"true" doc:"About the share of all records that the last run compared; null when unknown."`
	LastRun         string      `json:"last_run"`
	LastResult      string      `json:"last_result"`
	LastError       string      `json:"last_error"`
	LastRunAt       Instant     `json:"last_run_at"`
	LastSuccessAt   Instant     `json:"last_success_at"`
	OpenFindings    int64       `json:"open_findings"`
	FindingsOmitted int64       `json:"findings_omitted" doc:"Differences that the last run counted and did not keep as findings: while it is more than 0, open_findings is the least that differs."`
	Open            []TallyBody `json:"open" nullable:"false"`
	OldestOpenAt    Instant     `json:"oldest_open_at"`
	SuspectsPending int64       `json:"suspects_pending"`
	RunningRun      string      `json:"running_run" doc:"The run that is queued, running or settling; empty for none."`
}

// TallyBody is how many findings there are of a kind in a state.
type TallyBody struct {
	Kind  string `json:"kind"`
	State string `json:"state"`
	Count int64  `json:"count"`
}

// CheckDetailBody is a check with its rules and how its findings differ.
type CheckDetailBody struct {
	CheckBody
	Rules         []RuleBody         `json:"rules" nullable:"false"`
	Invariants    []InvariantBody    `json:"invariants" nullable:"false"`
	Patterns      []PatternBody      `json:"patterns" nullable:"false"`
	Fields        []FieldTallyBody   `json:"fields" nullable:"false"`
	Rolling       []RollingBody      `json:"rolling" nullable:"false" doc:"How far the rolling part of its samples has come; empty where it draws none."`
	SchemaChanges []SchemaChangeBody `json:"schema_changes" nullable:"false" doc:"What was found to have changed of how its stores keep the data, the newest first."`
	History       []BucketBody       `json:"history" nullable:"false" doc:"The last 24 hours in half-hours, oldest first."`
}

// RuleBody is how one field is compared.
type RuleBody struct {
	Replica      string `json:"replica"`
	OwnerField   string `json:"owner_field"`
	ReplicaField string `json:"replica_field"`
	Rule         string `json:"rule"`
	Mask         string `json:"mask"`
}

// InvariantBody is what must hold between two records.
type InvariantBody struct {
	Replica string `json:"replica"`
	Name    string `json:"name"`
	Expr    string `json:"expr"`
}

// PatternBody is the open findings that differ in the same way.
type PatternBody struct {
	Replica   string  `json:"replica"`
	Pattern   string  `json:"pattern"`
	Open      int64   `json:"open"`
	FirstSeen Instant `json:"first_seen"`
	LastSeen  Instant `json:"last_seen"`
	Example   string  `json:"example" doc:"A finding of it."`
}

// FieldTallyBody is how many open findings differ in a field.
type FieldTallyBody struct {
	Replica string `json:"replica"`
	Field   string `json:"field"`
	Open    int64  `json:"open"`
}

// BucketBody is half an hour of an edge's history.
type BucketBody struct {
	Replica     string  `json:"replica"`
	At          Instant `json:"at"`
	Worst       string  `json:"worst"`
	Runs        int64   `json:"runs"`
	Differences int64   `json:"differences"`
	Compared    int64   `json:"compared"`
	Coverage    float64 `json:"coverage"`
}

// FindingBody is a confirmed difference that outlives its run.
type FindingBody struct {
	Finding     string        `json:"finding"`
	Check       string        `json:"check"`
	Replica     string        `json:"replica"`
	Kind        string        `json:"kind" enum:"mismatch,missing,extra,duplicate,unreadable"`
	State       string        `json:"state" enum:"confirmed,regressed,acknowledged,muted,fixing,resolved"`
	Resolution  string        `json:"resolution" doc:"Why it is resolved: equal, gone, out of scope, ignored, not delivered."`
	Key         NamedBody     `json:"key"`
	ID          NamedBody     `json:"id"`
	KeyText     string        `json:"key_text" doc:"Key and id as one visible text, as it can be searched."`
	FirstSeen   Instant       `json:"first_seen"`
	ConfirmedAt Instant       `json:"confirmed_at"`
	LastSeen    Instant       `json:"last_seen"`
	CheckedAt   Instant       `json:"checked_at"`
	ResolvedAt  Instant       `json:"resolved_at"`
	Fields      []drift.Field `json:"fields" nullable:"false"`
	Reason      string        `json:"reason"`
	Age         string        `json:"age" doc:"How the copy stands to its owner by their versions: stale, diverged, ahead, or empty."`
	Pattern     string        `json:"pattern"`
	Seen        int64         `json:"seen"`
	Regressions int64         `json:"regressions"`
	MutedUntil  Instant       `json:"muted_until"`
	Accepted    bool          `json:"accepted"`
	Revision    int64         `json:"revision"`
}

// FindingDetailBody is a finding with its life.
type FindingDetailBody struct {
	FindingBody
	Timeline []TransitionBody `json:"timeline" nullable:"false"`
}

// TransitionBody is a line of a finding's timeline.
type TransitionBody struct {
	Event string  `json:"event"`
	From  string  `json:"from"`
	To    string  `json:"to"`
	At    Instant `json:"at"`
	Actor string  `json:"actor"`
	Run   string  `json:"run"`
	Note  string  `json:"note"`
}

// SourceBody is one store that is read. Its address is no part of it.
type SourceBody struct {
	Name             string             `json:"name"`
	Kind             string             `json:"kind"`
	Team             string             `json:"team"`
	UsedBy           []string           `json:"used_by" nullable:"false"`
	State            string             `json:"state" enum:"up,down,unknown"`
	Since            Instant            `json:"since"`
	ProbedAt         Instant            `json:"probed_at"`
	Error            string             `json:"error"`
	LatencySeconds   float64            `json:"latency_seconds"`
	Product          string             `json:"product"`
	Version          string             `json:"version"`
	ReadOnly         bool               `json:"read_only" doc:"False while the state is unknown."`
	Standby          bool               `json:"standby"`
	Notes            []string           `json:"notes" nullable:"false"`
	FixURL           bool               `json:"fix_url" doc:"Whether credentials that may write are configured, which fixes alone are made with."`
	Connections      int                `json:"connections"`
	RecordsPerSecond int                `json:"records_per_second" doc:"0 is no bound."`
	WaitSeconds      map[string]float64 `json:"wait_seconds" nullable:"false"`
	WaitSecondsToday map[string]float64 `json:"wait_seconds_today" nullable:"false" doc:"Since midnight, UTC."`
	LagSeconds       *float64           `json:"lag_seconds" doc:"How far its standby is behind; null where nothing says."`
	Active           *int               `json:"active" doc:"Statements of others at work, as far as it tells; null where nothing says."`
	Throttled        string             `json:"throttled" doc:"Why reads wait just now; empty where they do not."`
	ThrottledSince   Instant            `json:"throttled_since"`
}

// SummaryBody is everything in a few numbers.
type SummaryBody struct {
	Checks            int                `json:"checks"`
	Edges             int                `json:"edges"`
	InSync            int                `json:"in_sync"`
	InSample          int                `json:"in_sample"`
	Drifted           int                `json:"drifted"`
	Unknown           int                `json:"unknown"`
	Failing           int                `json:"failing" doc:"Edges whose health is Failing or Stale."`
	OpenFindings      int64              `json:"open_findings"`
	FindingsOmitted   int64              `json:"findings_omitted" doc:"Differences that the last runs counted and did not keep as findings."`
	FindingsByState   map[string]int64   `json:"findings_by_state" nullable:"false"`
	NewFindings24h    int64              `json:"new_findings_24h"`
	OldestOpen        string             `json:"oldest_open"`
	OldestOpenAt      Instant            `json:"oldest_open_at"`
	SuspectsPending   int64              `json:"suspects_pending"`
	HeartbeatAt       Instant            `json:"heartbeat_at" doc:"The last sign of life of any process on this ledger."`
	Incidents         IncidentCountsBody `json:"incidents"`
	Processes         []ProcessBody      `json:"processes" nullable:"false"`
	Version           string             `json:"version"`
	ConfigLoadedAt    Instant            `json:"config_loaded_at"`
	ConfigReloadError string             `json:"config_reload_error"`
}

// ProcessBody is one process that serves.
type ProcessBody struct {
	ID         string  `json:"id"`
	Host       string  `json:"host"`
	PID        int     `json:"pid"`
	Version    string  `json:"version"`
	Listen     string  `json:"listen"`
	Generation int64   `json:"generation"`
	StartedAt  Instant `json:"started_at"`
	Heartbeat  Instant `json:"heartbeat_at"`
}

// ChangedBody says how many findings an act changed.
type ChangedBody struct {
	Changed int64 `json:"changed"`
}

// schemaName names types in the OpenAPI document as the API's users know them.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if inner, found := strings.CutPrefix(name, "ListBody"); found {
		return strings.TrimSuffix(inner, "Body") + "List"
	}
	return strings.TrimSuffix(name, "Body")
}
