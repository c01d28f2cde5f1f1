package slack

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// Plans of fixes are listed here and fixes frozen. They are drafted, approved and
// applied on the pages: who does so must see what is done to which record, and no
// value of one comes to Slack.

// frozen is the check that a freeze is about; "" is all.
func (o *order) frozen() string {
	if o.What == allChecks {
		return ""
	}
	return o.What
}

// plans are those of which something may still be made.
func (in *Inbound) plans(ctx context.Context) (reply, error) {
	list, stops, err := in.o.Book.Fixes(ctx)
	if err != nil {
		return reply{}, err
	}
	lines := []string{"*" + counted(int64(len(list)), "live plan") + "*"}
	if len(list) == 0 {
		lines = []string{"No plan of fixes is live."}
	}
	for i := range list[:min(len(list), mostNamed)] {
		p := &list[i]
		name := escaped(visible(p.ID, 60))
		if page := web(planPage(in.o.PublicURL, p.ID)); page != "" {
			name = link(page, name)
		}
		line := fmt.Sprintf("%s %s → %s: %s, %s", name, code(p.Check, 100), code(p.Replica, 100), escaped(visible(p.What(), 300)), escaped(planStands(&p.Plan)))
		if p.Undoes != "" {
			line += ", to undo " + escaped(visible(p.Undoes, 60))
		}
		if !p.ExpiresAt.IsZero() {
			line += ", until " + when(p.ExpiresAt)
		}
		lines = append(lines, line)
	}
	if more := len(list) - mostNamed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	for i := range stops[:min(len(stops), mostNamed)] {
		lines = append(lines, stopWords(&stops[i]))
	}
	return reply{lines: lines, shared: true}, nil
}

func stopWords(s *StopState) string {
	what := "🧊 Fixes"
	if s.Paused {
		what = "⏸ Automatic fixes"
	}
	if s.Check != "" {
		what += " of " + code(s.Check, 100)
	}
	verb := " are frozen"
	if s.Paused {
		verb = " are paused"
	}
	return what + verb + escaped(by(s.By)+colon(s.Reason)) + ", since " + when(s.At)
}

// fix says where fixes of a check are planned.
func (in *Inbound) fix(ctx context.Context, check string) (reply, error) {
	if _, err := in.check(ctx, check); err != nil {
		return reply{}, err
	}
	address := web(strings.TrimSuffix(in.o.PublicURL, "/") + "/checks/" + url.PathEscape(check))
	if in.o.PublicURL == "" || address == "" {
		return words("Fixes are planned on the pages of Plumbline, where what is done to which record is seen before anything is done."), nil
	}
	return words(link(address, "Plan a fix") + " of " + code(check, 100) + ": there it is seen what is done to which record, before anything is done."), nil
}

// freeze keeps fixes from being made, or lets them go on.
func (in *Inbound) freeze(ctx context.Context, o order) (reply, error) {
	check := o.frozen()
	what := "All fixes"
	if check != "" {
		what = "Fixes of " + code(check, 100)
	}
	if o.Verb == doUnfreeze {
		if err := in.o.Desk.UnfreezeFixes(ctx, check); err != nil {
			return reply{}, err
		}
		lines, err := in.thawed(ctx, check, what)
		return reply{lines: lines, shared: true}, err
	}
	if err := in.o.Desk.FreezeFixes(ctx, check, o.Note); err != nil {
		return reply{}, err
	}
	return reply{lines: []string{"🧊 " + what + " are frozen: nothing more is written until somebody unfreezes them."}, shared: true}, nil
}

// thawed says that a freeze is lifted, and which others keep the same fixes from
// being made.
func (in *Inbound) thawed(ctx context.Context, check, what string) ([]string, error) {
	_, stops, err := in.o.Book.Fixes(ctx)
	if err != nil {
		return nil, err
	}
	of := "all fixes"
	if check != "" {
		of = code(check, 100)
	}
	lines := []string{"The freeze of " + of + " is lifted, and others hold:"}
	for i := range stops {
		if s := &stops[i]; !s.Paused && (check == "" || s.Check == "") {
			lines = append(lines, stopWords(s))
		}
	}
	if len(lines) == 1 {
		return []string{what + " may be made again. What was being applied goes on by itself."}, nil
	}
	return lines, nil
}
