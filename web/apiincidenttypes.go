package web

import (
	"time"

	"plumbline/alerts"
)

// IncidentBody is what people are told about: the open findings of a check, or
// that it cannot be made. It holds counts, names and times, and no value of a record.
type IncidentBody struct {
	Incident       string            `json:"incident"`
	Number         int64             `json:"number"`
	Check          string            `json:"check"`
	Kind           string            `json:"kind" enum:"drift,cannot check,schema"`
	State          string            `json:"state" enum:"open,acknowledged,resolved"`
	Severity       string            `json:"severity"`
	Team           string            `json:"team"`
	OpenedAt       Instant           `json:"opened_at"`
	ChangedAt      Instant           `json:"changed_at"`
	ResolvedAt     Instant           `json:"resolved_at"`
	Resolution     string            `json:"resolution"`
	Regressed      int64             `json:"regressed" doc:"How often it came back within a day of being resolved."`
	AcknowledgedBy string            `json:"acknowledged_by"`
	AcknowledgedAt Instant           `json:"acknowledged_at"`
	First          int64             `json:"first" doc:"How many findings counted when it opened."`
	Peak           int64             `json:"peak" doc:"The most that counted since."`
	Growing        bool              `json:"growing"`
	Facts          IncidentFactsBody `json:"facts"`
	Muted          *MuteBody         `json:"muted" doc:"The mute of its check that holds; null for none."`
	Revision       int64             `json:"revision"`
}

// IncidentFactsBody is what was last known of an incident's check.
type IncidentFactsBody struct {
	Counted  int64              `json:"counted" doc:"Open findings that are not accepted as known."`
	Loud     int64              `json:"loud" doc:"Those of them that nobody acknowledged or muted."`
	Accepted int64              `json:"accepted"`
	Omitted  int64              `json:"omitted" doc:"Counted by the last run and not kept as findings."`
	Compared int64              `json:"compared"`
	Share    float64            `json:"share" doc:"The share of the compared records that differ."`
	Kinds    []CountBody        `json:"kinds" nullable:"false"`
	Fields   []CountBody        `json:"fields" nullable:"false"`
	Edges    []IncidentEdgeBody `json:"edges" nullable:"false"`
	Healed   int64              `json:"healed" doc:"Resolved by themselves since the incident opened."`
	Fixed    int64              `json:"fixed"`
	Known    int64              `json:"known" doc:"Taken as known since."`
	Pending  int64              `json:"suspects_pending"`
}

// IncidentCountsBody is how many incidents are not resolved.
type IncidentCountsBody struct {
	Open         int64 `json:"open" doc:"All that are not resolved."`
	Acknowledged int64 `json:"acknowledged" doc:"Those of them that somebody takes on."`
	Drift        int64 `json:"drift"`
	CannotCheck  int64 `json:"cannot_check"`
	Schema       int64 `json:"schema" doc:"A schema changed, so that nothing is compared."`
}

// CountBody is how many findings there are of something.
type CountBody struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// IncidentEdgeBody is one edge as it was when the incident was last told.
type IncidentEdgeBody struct {
	Replica     string   `json:"replica"`
	Consistency string   `json:"consistency" enum:"In sync,In sample,Drifted,Unknown"`
	Since       Instant  `json:"since"`
	Coverage    float64  `json:"coverage"`
	Findings    int64    `json:"findings"`
	Cause       string   `json:"cause" doc:"Why nothing can be said."`
	Schema      []string `json:"schema" nullable:"false" doc:"What changed of how the stores keep the data, so that nothing is compared."`
	SchemaSince Instant  `json:"schema_since"`
}

// MuteBody is why a check is quiet.
type MuteBody struct {
	Check   string  `json:"check"`
	Until   Instant `json:"until" doc:"When it ends; null where it ends only by growth."`
	Above   int64   `json:"above" doc:"It ends as soon as more findings than this count; 0 never does."`
	Actor   string  `json:"actor"`
	Reason  string  `json:"reason"`
	MutedAt Instant `json:"muted_at"`
}

// IncidentDetailBody is an incident with what happened and where it was told.
type IncidentDetailBody struct {
	IncidentBody
	Milestones []MilestoneBody `json:"milestones" nullable:"false"`
	Deliveries []DeliveryBody  `json:"deliveries" nullable:"false"`
}

// MilestoneBody is one line of an incident's life.
type MilestoneBody struct {
	Event   string  `json:"event" enum:"opened,regressed,acknowledged,grown,repeated,muted,unmuted,resolved,plan draft,plan waiting for approval,plan approved,plan applying,plan applied,plan partly applied,plan stale,plan failed,plan expired,plan undone,fixes frozen,fixes unfrozen,fixes paused,fixes resumed" doc:"plan … is that a plan of fixes came to that state; its id is in note."`
	At      Instant `json:"at"`
	Actor   string  `json:"actor"`
	Counted int64   `json:"counted"`
	Note    string  `json:"note"`
}

// DeliveryBody is what one target was told of an incident.
type DeliveryBody struct {
	Integration string  `json:"integration" enum:"slack,webhook"`
	Address     string  `json:"address" doc:"A channel, or the name of a webhook."`
	Revision    int64   `json:"revision" doc:"The incident's revision that was last sent there."`
	SentAt      Instant `json:"sent_at"`
	DueAt       Instant `json:"due_at" doc:"When the next step is to be taken; null for none."`
	Tries       int64   `json:"tries"`
	Error       string  `json:"error" doc:"Why the last try failed, and what to do about it."`
}

func incidentBody(declared *Declared, i *alerts.Incident, m *alerts.Mute, now time.Time) IncidentBody {
	f := &i.Facts
	body := IncidentBody{Incident: i.ID, Number: i.Number, Check: i.Check, Kind: string(i.Kind), State: string(i.State), OpenedAt: Instant(i.OpenedAt),
		ChangedAt: Instant(i.ChangedAt), ResolvedAt: Instant(i.ResolvedAt), Resolution: i.Resolution, Regressed: i.Regressed, AcknowledgedBy: i.AcknowledgedBy,
		AcknowledgedAt: Instant(i.AcknowledgedAt), First: i.First, Peak: i.Peak, Growing: growing(i), Revision: i.Revision,
		Facts: IncidentFactsBody{Counted: f.Counted, Loud: f.Loud, Accepted: f.Accepted, Omitted: f.Omitted, Compared: f.Compared, Share: f.Share(),
			Kinds: countBodies(f.Kinds), Fields: countBodies(f.Fields), Edges: []IncidentEdgeBody{}, Healed: f.Healed, Fixed: f.Fixed, Known: f.Known, Pending: f.Pending}}
	if c := declared.Check(i.Check); c != nil {
		body.Severity, body.Team = c.Severity, c.Team
	}
	for _, e := range f.Edges {
		body.Facts.Edges = append(body.Facts.Edges, IncidentEdgeBody{e.Replica, string(e.Consistency), Instant(e.Since), e.Coverage, e.Findings, e.Cause,
			append([]string{}, e.Schema...), Instant(e.SchemaSince)})
	}
	if m != nil && m.On(f.Counted, now) {
		body.Muted = muteBody(m)
	}
	return body
}

func countBodies(list []alerts.Count) []CountBody {
	bodies := []CountBody{}
	for _, c := range list {
		bodies = append(bodies, CountBody{c.Name, c.N})
	}
	return bodies
}

func muteBody(m *alerts.Mute) *MuteBody {
	return &MuteBody{Check: m.Check, Until: Instant(m.Until), Above: m.Above, Actor: m.Actor, Reason: m.Reason, MutedAt: Instant(m.At)}
}
