package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"plumbline/access"
	"plumbline/auditor"
	"plumbline/checks"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/reconciler"
	"plumbline/sources"
)

// Options are what pages, API, health and metrics are made of.
type Options struct {
	Ledger *ledger.Ledger
	// Auditor acts on what people ask for; nil where nobody works here, as in a
	// command beside which nothing serves. What needs one is then refused.
	Auditor Auditor
	// Desk is where people act on incidents and checks; nil is one at which nobody
	// works, where incidents are acknowledged and checks muted and nothing is run.
	Desk *auditor.Desk
	// Actor is who asks where the handler is called in this very process, as by a
	// command on the ledger itself; nil where requests come over a network, and
	// say by cookie or token who asks.
	Actor *access.Actor
	// Slack takes what Slack sends, at /slack/interactions and /slack/commands. It
	// verifies the signatures itself; nil is nobody, and those paths are not there.
	Slack http.Handler
	// PublicURL is where people reach the pages, such as https://plumbline.example.com;
	// "" is this machine alone.
	PublicURL string
	// TrustedProxies may say on whose behalf they ask, in X-Forwarded-For; none by default.
	TrustedProxies []netip.Prefix
	// Declared is the configuration in force. It is asked for with each request.
	Declared func() *Declared
	// Sources is what was last seen of each source, by name; nil is nothing.
	Sources func() map[string]SourceState
	// Metrics is what /metrics shows besides the ledger; nil is nothing.
	Metrics *Metrics
	// Events hears of changes, for /api/v1/events; nil is silence but heartbeats.
	Events *Events
	// Lens hides what may not be shown.
	Lens    drift.Lens
	Version string
	Now     func() time.Time // default time.Now
	Log     *slog.Logger     // default discards
}

// Auditor does what people ask for.
type Auditor interface {
	// Run begins a run of each edge of a check; keys, as the owner writes them,
	// are then compared alone. A *ledger.OverlapError says that one is going.
	Run(ctx context.Context, check string, trigger ledger.Trigger, actor string, keys []sources.Key) ([]*ledger.Run, error)
	// RunAsked is Run of something else than the check declares; *auditor.NotPossible
	// where that cannot be.
	RunAsked(ctx context.Context, check string, trigger ledger.Trigger, actor string, keys []sources.Key, asked ledger.Asked) ([]*ledger.Run, error)
	// KeyKinds are the kinds that the owner's store declares for the parts of a
	// check's key; a part is absent where it declares none.
	KeyKinds(ctx context.Context, check string) ([]sources.Kind, error)
	// Recheck reads a finding's record now, on both sides, and records what it read.
	Recheck(ctx context.Context, finding, actor string) (*drift.Finding, error)
	Cancel(ctx context.Context, run, actor string) (*ledger.Run, error)
	Resume(ctx context.Context, run, actor string) (*ledger.Run, error)
	// Reveal reads a finding's record now, on both sides, and returns what differs
	// with the values that masks cover. It keeps nothing.
	Reveal(ctx context.Context, finding string) (*drift.Revealed, error)
	// Next is when a check is next due; zero where it has no schedule.
	Next(check string) time.Time
}

// Declared is what a configuration declares, as far as pages and API tell of it.
type Declared struct {
	Checks  []DeclaredCheck  // sorted by name
	Sources []DeclaredSource // sorted by name
	// LoadedAt is when it was read. LastReloadError says why what was read
	// later was refused; "" where this is the newest.
	LoadedAt        time.Time
	LastReloadError string
	// Notices say what else is to be known of it, such as that other processes
	// act by another configuration.
	Notices []string
}

// DeclaredCheck is a check with its schedule.
type DeclaredCheck struct {
	*checks.Check
	Spec string // the schedule as written; "" for none
	// Interval is how far apart its slots are about now; 0 without a schedule.
	Interval time.Duration
	// StaleAt is when the check has gone stale whose last success was at a time;
	// nil without a schedule.
	StaleAt func(success time.Time) time.Time
	// Since is from when on it is scheduled as it is.
	Since time.Time
	// Fix is how differences of its edges may be put right, by the replica's name;
	// those of an edge that is not named are not.
	Fix map[string]reconciler.Policy
}

// fix is how differences of an edge may be put right.
func (c *DeclaredCheck) fix(replica string) reconciler.Policy {
	if p, named := c.Fix[replica]; named && p.Mode != "" {
		return p
	}
	return reconciler.Policy{Mode: reconciler.ModeOff}
}

// health is how the audit of one of the check's edges is.
func (c *DeclaredCheck) health(known *ledger.Edge, now time.Time) drift.Health {
	begun := known.Begun
	if c.Since.After(begun) {
		begun = c.Since
	}
	return known.Standing.Health(now, begun, c.StaleAt)
}

// DeclaredSource is a source without its address.
type DeclaredSource struct {
	Name, Kind, Team string
	// Connections is how many may be open; RecordsPerSecond bounds reading, 0 is no bound.
	Connections      int
	RecordsPerSecond int
	Page, Statement  time.Duration
	// FixURL says whether credentials are configured that may write, which fixes
	// alone are made with.
	FixURL bool
}

// Check finds a check by name; nil where none is declared.
func (d *Declared) Check(name string) *DeclaredCheck {
	for i := range d.Checks {
		if d.Checks[i].Name == name {
			return &d.Checks[i]
		}
	}
	return nil
}

// Edge finds a check's edge by its replica's name; nil where none is declared.
func (c *DeclaredCheck) Edge(replica string) *checks.Edge {
	for i := range c.Edges {
		if c.Edges[i].Name == replica {
			return &c.Edges[i]
		}
	}
	return nil
}

// UsedBy are the names of the checks that read a source, in order.
func (d *Declared) UsedBy(source string) []string {
	names := []string{}
	for i := range d.Checks {
		used := d.Checks[i].Owner.Source == source
		for e := range d.Checks[i].Edges {
			used = used || d.Checks[i].Edges[e].Replica.Source == source
		}
		if used {
			names = append(names, d.Checks[i].Name)
		}
	}
	return names
}

// SourceState is what a process last saw of a source.
type SourceState struct {
	Name  string
	State string    // SourceUp, SourceDown or SourceUnknown
	Since time.Time // when State became what it is
	// ProbedAt is when it was last asked; zero for never.
	ProbedAt time.Time
	Why      string // why it did not answer, without secrets
	Latency  time.Duration
	Facts    sources.Facts
	// InUse is how many reads were under way; Waited how long reads were held
	// back since the process began, by cause, and Today since midnight, UTC.
	InUse         int
	Waited, Today map[string]time.Duration
	// Lag is how far a standby is behind, Active how many statements of others were
	// at work, as far as the store tells; nil where nothing says.
	Lag    *time.Duration
	Active *int
	// Throttled says why reads wait since ThrottledSince; "" where they do not.
	Throttled      string
	ThrottledSince time.Time
}

// The states of a source.
const (
	SourceUp      = "up"
	SourceDown    = "down"
	SourceUnknown = "unknown" // not asked yet
)

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Events == nil {
		o.Events = NewEvents()
	}
	if o.Sources == nil {
		o.Sources = func() map[string]SourceState { return nil }
	}
	if o.Desk == nil && o.Ledger != nil {
		o.Desk = auditor.NewDesk(o.Ledger, nil, o.Now)
	}
	if o.Declared == nil {
		o.Declared = func() *Declared { return &Declared{} }
	}
	return o
}
