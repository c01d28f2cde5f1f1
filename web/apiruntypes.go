package web

// RunBody is one execution of one edge of a check.
type RunBody struct {
	ID        string  `json:"id"`
	Number    int64   `json:"number"`
	Check     string  `json:"check"`
	Replica   string  `json:"replica"`
	State     string  `json:"state" enum:"queued,running,settling,finished"`
	Result    string  `json:"result" doc:"clean, drift, incomplete, error or cancelled; provisional while the state is settling, empty before."`
	Error     string  `json:"error"`
	Trigger   string  `json:"trigger" enum:"schedule,catch-up,manual"`
	Actor     string  `json:"actor"`
	SlotAt    Instant `json:"slot_at"`
	CreatedAt Instant `json:"created_at"`
	StartedAt Instant `json:"started_at"`
	EndedAt   Instant `json:"ended_at" doc:"When its scan ended."`
	// FinishedAt is when its last suspect was judged.
	FinishedAt      Instant            `json:"finished_at"`
	DurationSeconds float64            `json:"duration_seconds"`
	Coverage        float64            `json:"coverage"`
	ScopeShare      *float64           `json:"scope_share" nullable:"true" doc:"About the share of all records that it compared; null when unknown."`
	Plan            string             `json:"plan"`
	PlanDetail      string             `json:"plan_detail"`
	Shape           string             `json:"shape" doc:"A fingerprint of how both stores kept what it read; empty where neither tells."`
	SuspectsPending int64              `json:"suspects_pending"`
	Counts          CountsBody         `json:"counts"`
	DriftRate       *DriftRateBody     `json:"drift_rate,omitempty" doc:"Absent where nothing was compared, and where a sample drew no key at random."`
	ExtraRate       *DriftRateBody     `json:"extra_rate,omitempty" doc:"Of a sample, the share of the replica's keys that the owner lacks."`
	Sample          *SampleBody        `json:"sample,omitempty" doc:"Absent for a run that compares everything, or given keys."`
	FindingsOmitted int64              `json:"findings_omitted"`
	Unread          int64              `json:"unread"`
	Reasons         []string           `json:"reasons" nullable:"false"`
	WaitSeconds     map[string]float64 `json:"wait_seconds" nullable:"false"`
	Read            int64              `json:"read"`
	Estimate        int64              `json:"estimate" doc:"About how many records it will read; 0 when unknown."`
	Keys            int                `json:"keys" doc:"How many keys it compares alone; 0 for everything."`
	SinceSeconds    float64            `json:"since_seconds" doc:"It compares the keys alone that changed so long before it began; 0 for no such thing."`
	StopAfter       int64              `json:"stop_after" doc:"It stops once it has seen so many differences; 0 for never."`
	Segments        int                `json:"segments"`
	SegmentsDone    int                `json:"segments_done"`
	CancelRequested bool               `json:"cancel_requested"`
	CancelledBy     string             `json:"cancelled_by"`
}

// CountsBody are what a run saw; compared is the sum of equal to unreadable.
type CountsBody struct {
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
	RandomKeys      int64 `json:"random_keys" doc:"Of a sample: the owner's keys that were drawn at random and judged."`
	RandomDrift     int64 `json:"random_drift" doc:"Those of them that differ."`
	RandomReplica   int64 `json:"random_replica_keys" doc:"Of a sample: the replica's keys that were drawn at random and judged."`
	RandomExtras    int64 `json:"random_extras" doc:"Those of them that the owner lacks."`
}

// DriftRateBody is the share of what was compared that differs.
type DriftRateBody struct {
	Estimate   float64 `json:"estimate"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
	Of         string  `json:"of" doc:"records, copies, owner keys or replica keys."`
	Keys       int64   `json:"keys" doc:"Of a sample: how many keys drawn at random it is told from; else 0."`
	Population int64   `json:"population" doc:"Of a sample: how many keys there were; 0 where they were not counted."`
}

// RunDetailBody is a run with its segments.
type RunDetailBody struct {
	RunBody
	SegmentList []SegmentBody `json:"segment_list" nullable:"false"`
}

// SegmentBody is a part of a run.
type SegmentBody struct {
	Number    int        `json:"number"`
	State     string     `json:"state" enum:"queued,running,done,failed,stopped"`
	Side      string     `json:"side" enum:"owner,replica" doc:"Whose records it goes through."`
	Stratum   string     `json:"stratum" doc:"Of a sample: how its keys were chosen, as recent, rolling or random; else empty."`
	Worker    string     `json:"worker"`
	Term      int64      `json:"term"`
	Attempts  int        `json:"attempts"`
	Read      int64      `json:"read"`
	Counts    CountsBody `json:"counts"`
	Error     string     `json:"error"`
	StartedAt Instant    `json:"started_at"`
	EndedAt   Instant    `json:"ended_at"`
}
