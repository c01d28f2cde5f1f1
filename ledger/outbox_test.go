package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"plumbline/alerts"
)

// channels is an integration as the outbox meets it: messages in channels that
// are posted, edited, answered and deleted, and every way in which a request may
// fail. It holds each send against what was promised of sends.
type channels struct {
	mu     sync.Mutex
	now    func() time.Time
	random *rand.Rand
	faults float64 // the share of sends that fail
	down   bool

	messages                         []*message
	quiet                            map[string]time.Time // by channel, "" for all: not before
	last                             map[string]time.Time // the last message to a channel
	sends, failures, found, refusals int
	posts, lost, deleted             map[string]int // by incident and channel
	wrong                            []string
}

type message struct {
	channel, ts, incident, id string
	revision                  int64
	state                     alerts.State
	told                      map[int64]int // milestones, by how often: the root's by its Post
	replies                   map[string]bool
	gone                      bool
}

func newChannels(now func() time.Time, seed uint64, faults float64) *channels {
	return &channels{now: now, random: rand.New(rand.NewPCG(seed, 1)), faults: faults, quiet: map[string]time.Time{}, last: map[string]time.Time{},
		posts: map[string]int{}, lost: map[string]int{}, deleted: map[string]int{}}
}

func (c *channels) complain(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// Send is one request, or two where something doubtful is looked for first.
func (c *channels) Send(_ context.Context, d *alerts.Delivery) (alerts.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, channel := c.now(), d.Target.Address
	c.sends++
	for _, of := range []string{"", channel} {
		if now.Before(c.quiet[of]) {
			c.complain("a send to %s %s before its Retry-After", channel, c.quiet[of].Sub(now))
		}
	}
	if last, sent := c.last[channel]; sent && now.Sub(last) < time.Second {
		c.complain("two sends to %s within %s", channel, now.Sub(last))
	}
	if d.Doubtful.IsZero() != (d.Lost == 0) {
		c.complain("%s of %s is doubtful since %s and was lost %d times", d.Step, d.Incident.ID, d.Doubtful, d.Lost)
	}
	if !d.Doubtful.IsZero() {
		if c.down {
			return c.fail(&alerts.RetryError{Why: "it is down"})
		}
		if r, found := c.find(d); found {
			c.found++
			return r, nil
		}
		if d.Step == alerts.Post && (d.Incident.State == alerts.Resolved || d.Muted != nil) {
			return alerts.Receipt{}, nil
		}
	}
	c.last[channel] = now
	if c.down {
		if d.Step == alerts.Edit {
			return c.fail(&alerts.RetryError{Why: "it is down"})
		}
		return c.fail(alerts.ErrLost)
	}
	m := c.message(d.Ref)
	if d.Step == alerts.Edit || d.Step == alerts.Reply {
		if m != nil && !m.gone && c.faults > 0 && c.random.Float64() < 0.005 {
			m.gone = true
			c.deleted[m.incident+channel]++
		}
		if m == nil || m.gone {
			return c.fail(alerts.ErrGone)
		}
	}
	if c.random.Float64() < c.faults {
		return c.fault(d, m)
	}
	return c.do(d, m), nil
}

func (c *channels) fail(err error) (alerts.Receipt, error) {
	c.failures++
	return alerts.Receipt{}, err
}

// fault is one of the ways in which a request fails.
func (c *channels) fault(d *alerts.Delivery, m *message) (alerts.Receipt, error) {
	switch c.random.IntN(6) {
	case 0, 1:
		e := &alerts.RetryError{After: time.Duration(1+c.random.IntN(30)) * time.Second, Why: "slow down", Everywhere: c.random.IntN(2) == 0}
		of := d.Target.Address
		if e.Everywhere {
			of = ""
		}
		c.quiet[of] = c.now().Add(e.After)
		return c.fail(e)
	case 2:
		return c.fail(&alerts.RetryError{Why: "it could not be reached"})
	case 3:
		c.refusals++
		return c.fail(&alerts.RefusedError{Why: "channel_not_found", Do: "invite the bot"})
	case 4:
		c.do(d, m)
	}
	if d.Step == alerts.Edit {
		return c.fail(&alerts.RetryError{Why: "no answer"})
	}
	c.lost[d.Incident.ID+d.Target.Address]++
	return c.fail(alerts.ErrLost)
}

// do does what is asked.
func (c *channels) do(d *alerts.Delivery, m *message) alerts.Receipt {
	switch d.Step {
	case alerts.Edit:
		if d.Incident.Revision < m.revision {
			c.complain("%s went back to revision %d of %d", m.incident, d.Incident.Revision, m.revision)
		}
		m.revision, m.state = d.Incident.Revision, d.Incident.State
	case alerts.Reply:
		m.replies[d.ID] = true
		if int64(len(d.Milestones)) > d.Last {
			c.complain("a reply tells %d milestones up to number %d", len(d.Milestones), d.Last)
		}
		for n := d.Last - int64(len(d.Milestones)) + 1; n <= d.Last; n++ {
			m.told[n]++
		}
	case alerts.Post:
		m = &message{channel: d.Target.Address, ts: fmt.Sprintf("ts-%d", len(c.messages)), incident: d.Incident.ID, id: d.ID,
			revision: d.Incident.Revision, state: d.Incident.State, told: map[int64]int{}, replies: map[string]bool{}}
		for n := int64(1); n <= d.Last; n++ {
			m.told[n] = 1
		}
		if d.Incident.State == alerts.Resolved || d.Muted != nil {
			c.complain("%s was posted though it is %s, muted %v", d.Incident.ID, d.Incident.State, d.Muted)
		}
		c.messages = append(c.messages, m)
		c.posts[m.incident+m.channel]++
		return alerts.Receipt{Ref: alerts.Ref{Channel: m.channel, TS: m.ts}}
	}
	return alerts.Receipt{Ref: d.Ref}
}

func (c *channels) message(ref alerts.Ref) *message {
	for _, m := range c.messages {
		if m.ts == ref.TS {
			return m
		}
	}
	return nil
}

// find looks for what was doubtful.
func (c *channels) find(d *alerts.Delivery) (alerts.Receipt, bool) {
	if d.Step == alerts.Reply {
		m := c.message(d.Ref)
		return alerts.Receipt{Ref: d.Ref, Found: true}, m != nil && !m.gone && m.replies[d.ID]
	}
	for _, m := range c.messages {
		if m.id == d.ID && !m.gone {
			return alerts.Receipt{Ref: alerts.Ref{Channel: m.channel, TS: m.ts}, Found: true}, true
		}
	}
	return alerts.Receipt{}, false
}

// live is the message of an incident that is there.
func (c *channels) live(incident, channel string) (live []*message) {
	for _, m := range c.messages {
		if m.incident == incident && m.channel == channel && !m.gone {
			live = append(live, m)
		}
	}
	return live
}

// dying is an outbox whose process dies, now and then, between a send and the
// keeping of what became of it, or before the send.
type dying struct {
	alerts.Outbox
	random *rand.Rand
	often  float64
	deaths int
}

var errDied = errors.New("the process died")

func (o *dying) SettleDelivery(ctx context.Context, d *alerts.Delivery, r alerts.Receipt, sent error) error {
	var retry *alerts.RetryError
	asked := errors.As(sent, &retry) && retry.Everywhere // who dies having heard that cannot tell the others
	if !asked && o.random.Float64() < o.often {
		o.deaths++
		return errDied
	}
	return o.Outbox.SettleDelivery(ctx, d, r, sent)
}

func (o *dying) ClaimDelivery(ctx context.Context, integrations []string) (*alerts.Delivery, time.Time, error) {
	d, next, err := o.Outbox.ClaimDelivery(ctx, integrations)
	if d != nil && o.random.Float64() < o.often {
		o.deaths++
		return nil, next, errDied
	}
	return d, next, err
}
