package configs

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"plumbline/sources"
)

// told is what checks' alerts and routes may refer to.
type told struct {
	slack    bool // an app is declared, in use or off
	channel  string
	webhooks []string
	// doubtful: what is declared could not be read whole, so what is missing from
	// it may only be hidden.
	doubtful bool
}

// alerts lowers who is told. The checks of c are lowered by then; declared are
// the same as they were read.
func (l *lowering) alerts(c *Config, roots []*setting, declared []named) Alerts {
	s := l.once(roots, "alerts")
	out := Alerts{Checks: map[string]Alert{}}
	known := told{doubtful: s != nil && s.under == nil}
	if s != nil && s.under != nil {
		app := s.get("slack")
		known.slack = app != nil
		out.Slack = l.slack(app)
		known.channel = valueOf[string](orNothing(app, slackApp()), "channel")
		out.Webhooks = l.webhooks(s.get("webhooks"))
		known.doubtful = s.get("webhooks") != nil && s.get("webhooks").bad
		for i := range out.Webhooks {
			known.webhooks = append(known.webhooks, out.Webhooks[i].Name)
		}
	}
	for _, d := range declared {
		if d.setting.under != nil {
			out.Checks[d.name] = l.alert(d.setting, known)
		}
	}
	if s == nil || s.under == nil {
		return out
	}
	if routes := s.get("routes"); routes != nil {
		for _, item := range routes.items {
			if item.under != nil {
				out.Routes = append(out.Routes, l.route(item, c, known))
			}
		}
	}
	if daily := s.get("digest"); daily != nil && daily.under != nil {
		out.Digest = l.digest(daily, known)
		if out.Slack == nil { // declared and off
			out.Digest.Slack = ""
		}
	}
	return out
}

// orNothing is a record's setting, or that of one in which nothing is written.
func orNothing(s *setting, rec *record) *setting {
	if s == nil || s.under == nil {
		return &setting{record: rec}
	}
	return s
}

func (l *lowering) slack(s *setting) *Slack {
	if s == nil || s.under == nil {
		return nil
	}
	app := Slack{Token: valueOf[sources.Secret](s, "token"), SigningSecret: valueOf[sources.Secret](s, "signing_secret"),
		AppToken: valueOf[sources.Secret](s, "app_token"), Channel: valueOf[string](s, "channel"),
		APIURL: strings.TrimRight(valueOf[string](s, "api_url"), "/")}
	switch written := s.get("token"); {
	case s.bad:
	case app.Token == "":
		l.note(written, "stands for nothing: nothing is sent to Slack")
		return nil
	case app.SigningSecret == "" && app.AppToken == "":
		l.note(s, "has neither signing_secret nor app_token: Slack is told, and its buttons and commands do nothing")
	}
	return &app
}

func (l *lowering) webhooks(s *setting) []Webhook {
	if s == nil {
		return nil
	}
	var all []Webhook
	for _, item := range s.items {
		if item.under == nil {
			continue
		}
		hook := Webhook{Name: valueOf[string](item, "name"), URL: valueOf[sources.Secret](item, "url"),
			Secret: valueOf[sources.Secret](item, "secret"), All: valueOf[bool](item, "all")}
		if hook.Name != "" && slices.ContainsFunc(all, func(other Webhook) bool { return other.Name == hook.Name }) {
			l.report(item, "two webhooks are named %s: give this one another name", item.get("name").raw.shown())
		}
		if inClear(hook.URL.Reveal()) {
			l.note(item.get("url"), "is http: what is sent can be read on its way")
		}
		all = append(all, hook)
	}
	return all
}

// inClear says whether what is sent to an address can be read on its way.
func inClear(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback())
}

// alert lowers a check's alert. What the check does not say, defaults say, key by
// key: a threshold of its own leaves the channel of defaults as it is.
func (l *lowering) alert(check *setting, known told) Alert {
	s := orNothing(check.get("alert"), alert())
	if own := check.under["alert"]; own != nil && check.fallback != nil {
		own.fallback = check.fallback.under["alert"]
	}
	bound := orNothing(s.get("above"), above())
	out := Alert{Slack: l.channel(s, known), Webhooks: l.known(s.get("webhooks"), known), Mention: valueOf[string](s, "mention"),
		Findings: int64(valueOf[int](bound, "findings")), Share: shareOf(valueOf[*apd.Decimal](bound, "share")), Repeat: valueOf[time.Duration](s, "repeat")}
	return out
}

// shareOf is a percentage as a share of 1.
func shareOf(percent *apd.Decimal) float64 {
	if percent == nil {
		return 0
	}
	share, err := percent.Float64()
	if err != nil { // it was read as one from 0 to 100
		return 0
	}
	return share / 100
}

// channel is the channel that a record names, for which there must be an app.
func (l *lowering) channel(s *setting, known told) string {
	name := valueOf[string](s, "slack")
	if written := s.get("slack"); name != "" && name != noChannel && !known.slack && !known.doubtful {
		l.report(written, "names a channel, and no Slack app is declared: declare one under alerts.slack, or remove it")
	}
	return name
}

// known are names of webhooks, which must be declared.
func (l *lowering) known(s *setting, known told) []string {
	if s == nil {
		return nil
	}
	var names []string
	for _, item := range s.items {
		name, ok := item.value.(string)
		switch {
		case !ok || item.bad:
			continue
		case !slices.Contains(known.webhooks, name) && !known.doubtful:
			l.unknown(item, known.webhooks, "webhook %s is not declared: add it under alerts.webhooks")
		case slices.Contains(names, name):
			l.report(item, "names %s twice: remove one", item.raw.shown())
		}
		names = append(names, name)
	}
	return names
}

// unknown reports a name that means nothing, as it is written, with the one that
// was probably meant.
func (l *lowering) unknown(s *setting, candidates []string, format string) {
	l.report(s, format, s.raw.shown())
	if !s.raw.expanded {
		l.problems[len(l.problems)-1].Suggestion = nearest(s.raw.text, candidates)
	}
}

func (l *lowering) route(s *setting, c *Config, known told) Route {
	out := Route{Checks: texts(s.get("checks")), Team: valueOf[string](s, "team"), Severity: texts(s.get("severity")),
		Slack: l.channel(s, known), Webhooks: l.known(s.get("webhooks"), known), Mention: valueOf[string](s, "mention")}
	var names, teams []string
	for i := range c.Checks {
		names = append(names, c.Checks[i].Name)
		if team := c.Checks[i].Team; team != "" && !slices.Contains(teams, team) {
			teams = append(teams, team)
		}
	}
	if listed := s.get("checks"); listed != nil {
		for _, item := range listed.items {
			pattern, ok := item.value.(string)
			if ok && !slices.ContainsFunc(names, func(name string) bool { return matches(pattern, name) }) {
				l.unknown(item, names, "no check is named %s")
			}
		}
	}
	if out.Team != "" && !slices.Contains(teams, out.Team) {
		l.unknown(s.get("team"), teams, "no check is of the team %s")
	}
	if !s.bad && s.get("slack") == nil && len(out.Webhooks) == 0 {
		l.report(s, "tells nobody: add slack or webhooks")
	}
	return out
}

// texts are the words of a list; nil where none is written.
func texts(s *setting) []string {
	if s == nil {
		return nil
	}
	return valuesOf[string](s)
}

// valuesOf are what the items of a list mean, without those that are bad.
func valuesOf[T any](s *setting) []T {
	if s == nil {
		return nil
	}
	var all []T
	for _, item := range s.items {
		if v, ok := item.value.(T); ok && !item.bad {
			all = append(all, v)
		}
	}
	return all
}

func (l *lowering) digest(s *setting, known told) *Digest {
	d := &Digest{At: valueOf[string](s, "at"), Zone: valueOf[*time.Location](s, "zone"), Slack: l.channel(s, known),
		Webhooks: l.known(s.get("webhooks"), known)}
	if d.Slack == "" {
		d.Slack = known.channel
	}
	if !s.bad && d.Slack == "" && len(d.Webhooks) == 0 && !known.doubtful {
		l.report(s, "tells nobody: add slack or webhooks")
	}
	return d
}

func (l *lowering) access(roots []*setting) Access {
	s := l.once(roots, "access")
	declared := orNothing(s, accessing())
	return Access{AuditKey: valueOf[sources.Secret](declared, "audit_key"), DataKey: valueOf[sources.Secret](declared, "data_key")}
}

// note keeps what is no fault, and worth knowing.
func (l *lowering) note(s *setting, format string, args ...any) {
	l.notes = append(l.notes, s.problem(s.path, format, args...))
}
