package service

import (
	"context"
	"net/http"
	"reflect"
	"sync"
	"time"

	"plumbline/alerts"
	"plumbline/alerts/slack"
	"plumbline/alerts/webhook"
	"plumbline/configs"
	"plumbline/ledger"
)

// telling is what tells people and listens to them, made of one configuration.
type telling struct {
	alerts     configs.Alerts
	dispatcher *alerts.Dispatcher
	inbound    *slack.Inbound // nil without Slack
	end        context.CancelFunc
	running    sync.WaitGroup
}

// retell goes on telling by the configuration in force. What was under way is
// ended first, so that nothing is told twice. Nothing changes where nothing that
// it is made of did.
func (s *Service) retell(ctx context.Context, config *configs.Config) {
	before := s.telling.Load()
	if s.silent || before != nil && sameOutlets(&before.alerts, &config.Alerts) {
		return
	}
	if before != nil {
		before.stop()
	}
	s.telling.Store(s.tell(ctx, config))
}

// sameOutlets says whether both tell by the same tokens and addresses. Who is
// told of what is asked for anew each time.
func sameOutlets(a, b *configs.Alerts) bool {
	return reflect.DeepEqual(a.Slack, b.Slack) && reflect.DeepEqual(a.Webhooks, b.Webhooks)
}

// tell begins to tell; ctx bounds nothing of it.
func (s *Service) tell(ctx context.Context, config *configs.Config) *telling {
	t := &telling{alerts: config.Alerts}
	ctx, t.end = context.WithCancel(context.WithoutCancel(ctx))
	t.dispatcher = alerts.NewDispatcher(alerts.DispatcherOptions{Outbox: outbox{s.ledger, s.behind}, Senders: Senders(config, s.o.Version), Now: time.Now, Log: s.o.Log,
		Observe: s.metrics.Notified})
	t.running.Go(func() { t.dispatcher.Run(ctx) })
	if declared := config.Alerts.Slack; declared != nil {
		o := &office{ledger: s.ledger, desk: s.desk, declared: s.Declared, sources: s.prober.States, next: s.auditor.Next, now: time.Now}
		t.inbound = slack.NewInbound(slack.InboundOptions{Token: declared.Token, SigningSecret: declared.SigningSecret, AppToken: declared.AppToken,
			APIURL: declared.APIURL, PublicURL: s.publicURL(), Inbox: s.ledger, Door: o, Desk: o, Book: book{o}, Wake: t.dispatcher.Wake, Log: s.o.Log})
		t.running.Go(func() { t.inbound.Work(ctx) })
		t.running.Go(func() { t.inbound.Socket(ctx) })
	}
	return t
}

// outbox is the ledger's, left to whoever has the newest configuration while
// there is somebody: two that want different things of one check would undo what
// the other one did, again and again.
type outbox struct {
	*ledger.Ledger
	behind func() bool
}

// ClaimDelivery implements alerts.Outbox.
func (o outbox) ClaimDelivery(ctx context.Context, integrations []string) (d *alerts.Delivery, next time.Time, err error) {
	if o.behind() {
		return nil, time.Time{}, nil
	}
	return o.Ledger.ClaimDelivery(ctx, integrations)
}

// SweepAlerts implements alerts.Outbox.
func (o outbox) SweepAlerts(ctx context.Context, now time.Time) error {
	if o.behind() {
		return nil
	}
	return o.Ledger.SweepAlerts(ctx, now)
}

func (s *Service) behind() bool { return s.auditor.State().Behind() }

// stop ends what is under way, within a few seconds.
func (t *telling) stop() {
	t.end()
	t.running.Wait()
}

// stopTelling ends what tells people, for good.
func (s *Service) stopTelling() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
	if t := s.telling.Load(); t != nil {
		t.stop()
	}
}

// Senders are the integrations that a configuration declares, by name.
func Senders(config *configs.Config, version string) map[string]alerts.Sender {
	senders := map[string]alerts.Sender{}
	if declared := config.Alerts.Slack; declared != nil {
		senders[configs.ToSlack] = slack.New(slack.Options{Token: declared.Token, APIURL: declared.APIURL, PublicURL: config.Server.PublicURL})
	}
	if len(config.Alerts.Webhooks) > 0 {
		hooks := map[string]webhook.Hook{}
		for _, w := range config.Alerts.Webhooks {
			hooks[w.Name] = webhook.Hook{URL: w.URL, Secret: w.Secret}
		}
		senders[configs.ToWebhook] = webhook.New(webhook.Options{Hooks: hooks, PublicURL: config.Server.PublicURL, Version: version, Now: time.Now})
	}
	return senders
}

// publicURL is where people find the pages; without a declared address that is
// where they are served.
func (s *Service) publicURL() string {
	if declared := s.Config().Server.PublicURL; declared != "" {
		return declared
	}
	return s.Address()
}

// policies find who is told of a check by the configuration in force.
func (s *Service) policies(check string) (alerts.Policy, bool) {
	now := s.inForce.Load()
	if now == nil { // while the ledger is opened
		return alerts.Policy{}, false
	}
	return now.policies(check)
}

// wakeTellers lets what became due in the ledger be told at once.
func (s *Service) wakeTellers(c ledger.Change) {
	if t := s.telling.Load(); t != nil && (c.Topic == "incident" || c.Topic == "alert") {
		t.dispatcher.Wake()
	}
}

// slackHandler takes what Slack sends by the tokens in force.
func (s *Service) slackHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := s.telling.Load()
		switch {
		case t == nil || t.inbound == nil:
			http.Error(w, "Slack is not configured here", http.StatusNotFound)
		case r.URL.Path == "/slack/commands":
			t.inbound.Commands().ServeHTTP(w, r)
		default:
			t.inbound.Interactions().ServeHTTP(w, r)
		}
	})
}
