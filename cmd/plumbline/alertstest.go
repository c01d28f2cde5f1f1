package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumbline/alerts"
	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/service"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/drift"
)

func (c *cli) testAlertsCommand() *cobra.Command {
	var check, target string
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Send a message, marked as a test, to everybody who is told",
		Long: `Send a message, marked as a test, to each channel and webhook that is told of
anything, and say what became of it. Nobody is mentioned.

Exit codes: 0 all took it, 2 not.`,
		Example: "  plumbline alerts test\n  plumbline alerts test --check basket-prices\n  plumbline alerts test --target 'slack:#basket'",
		Args:    atMost(0),
	}
	cmd.Flags().StringVar(&check, "check", "", "only those who are told of this check")
	cmd.Flags().StringVar(&target, "target", "", "only this one: slack:#channel or webhook:name")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.testAlerts(cmd.Context(), check, target, format.word)
	}
	return cmd
}

// trial is what became of one test message.
type trial struct {
	Integration string `json:"integration"`
	Address     string `json:"address"`
	OK          bool   `json:"ok"`
	Error       string `json:"error"`
	Do          string `json:"do"` // what a person can do about it
}

func (c *cli) testAlerts(ctx context.Context, check, target, format string) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	targets, err := chosenTargets(config, check, target)
	if err != nil {
		return err
	}
	c.noteConfig(config)
	if len(targets) == 0 {
		return errors.New("nobody is told of anything: name a channel or webhooks in a check's alert, in defaults or in alerts.routes")
	}
	senders := service.Senders(config, thisBuild().Version)
	trials, ok := []trial{}, true
	for _, to := range targets {
		t := c.try(ctx, senders[to.Integration], to, check)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		trials, ok = append(trials, t), ok && t.OK
	}
	if err := c.written(c.writeTrials(trials, format)); err != nil {
		return err
	}
	if !ok {
		return exit(report.ExitError)
	}
	return nil
}

// chosenTargets are whom a test is sent to.
func chosenTargets(config *configs.Config, check, target string) ([]alerts.Target, error) {
	if check != "" {
		if _, err := pick(config, []string{check}); err != nil {
			return nil, err
		}
	}
	all := targetsOf(config, check)
	if target == "" {
		return all, nil
	}
	var known []string
	for _, to := range all {
		known = append(known, to.Integration+":"+to.Address)
	}
	integration, address, found := strings.Cut(target, ":")
	switch {
	case !found || address == "" || integration != configs.ToSlack && integration != configs.ToWebhook:
		return nil, fmt.Errorf("--target %q: want slack:#channel or webhook:name", target)
	case integration == configs.ToSlack && config.Alerts.Slack == nil:
		return nil, errors.New("no Slack app is configured: declare one under alerts.slack")
	case integration == configs.ToSlack: // any channel, also before it is configured
		return []alerts.Target{{Integration: integration, Address: address}}, nil
	}
	for _, to := range all {
		if to.Integration == integration && to.Address == address {
			return []alerts.Target{to}, nil
		}
	}
	return nil, errors.New(noSuch("target", target, known, "there are "+listed(known)))
}

// try sends one test message.
func (c *cli) try(ctx context.Context, sender alerts.Sender, to alerts.Target, check string) trial {
	t := trial{Integration: to.Integration, Address: to.Address}
	_, err := sender.Send(ctx, &alerts.Delivery{ID: "test-" + rand.Text(), Step: alerts.Trial, Target: to, Policy: alerts.Policy{Check: check}, Now: c.now()})
	var refused *alerts.RefusedError
	var retry *alerts.RetryError
	switch {
	case err == nil:
		t.OK = true
	case errors.As(err, &refused):
		t.Error, t.Do = refused.Why, refused.Do
	case errors.As(err, &retry):
		t.Error, t.Do = retry.Why, "try again later"
		if retry.After > 0 {
			t.Do = fmt.Sprintf("try again in %s", retry.After.Round(time.Second))
		}
	case errors.Is(err, alerts.ErrLost):
		t.Error, t.Do = "no answer came", "look whether it arrived, and try again"
	default:
		t.Error = err.Error()
	}
	t.Error = c.scrub(t.Error)
	return t
}

func (c *cli) writeTrials(trials []trial, format string) error {
	if format == "json" {
		return report.WriteJSON(c.stdout, trials)
	}
	var table terminal.Table
	table.Row("TARGET", "RESULT", "WHAT TO DO")
	for _, t := range trials {
		result, style := "ok", c.style.Good
		if !t.OK {
			result, style = drift.Visible(t.Error), c.style.Bad
		}
		table.Row(t.Integration+":"+drift.Visible(t.Address), result, drift.Visible(t.Do))
		table.Style(1, style)
	}
	_, err := table.WriteTo(c.stdout)
	return err
}
