package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumbline/web"
)

func (c *cli) ackCommand() *cobra.Command {
	return c.actCommand("ack", "Say that somebody takes these findings on", nil)
}

func (c *cli) unmuteCommand() *cobra.Command {
	return c.actCommand("unmute", "Lift the mute of these findings", nil)
}

func (c *cli) muteCommand() *cobra.Command {
	var until, length string
	cmd := c.actCommand("mute", "Not to be told of these findings until a time", func(body map[string]any) error {
		at, err := c.muteEnd(until, length)
		body["until"] = at
		return err
	})
	cmd.Example = "  plumbline findings mute F-13eb3a90cd --for 2h --note \"the importer is being mended\"\n  plumbline findings mute F-13eb3a90cd --until 2027-01-31"
	cmd.Flags().StringVar(&until, "until", "", "until this day or time, such as 2027-01-31 or 2027-01-31T12:00:00Z")
	cmd.Flags().StringVar(&length, "for", "", "for so long, such as 2h or 7d")
	return cmd
}

// muteEnd is when a mute ends.
func (c *cli) muteEnd(until, length string) (at time.Time, err error) {
	switch {
	case (until == "") == (length == ""):
		return at, errors.New("say how long: --for 2h, or --until 2027-01-31")
	case length != "":
		d, err := parseLength("--for", length)
		if err != nil {
			return at, err
		}
		return c.now().Add(d), nil
	}
	if at, err = time.Parse(time.RFC3339, until); err != nil {
		if at, err = time.Parse(time.DateOnly, until); err != nil {
			return at, fmt.Errorf("--until %q: want a day or time such as 2027-01-31 or 2027-01-31T12:00:00Z", until)
		}
	}
	if !at.After(c.now()) {
		return at, fmt.Errorf("--until %s lies behind: want a time to come", until)
	}
	if at.Sub(c.now()) > longestMute {
		return at, fmt.Errorf("--until %s is more than ten years ahead: want an earlier time", until)
	}
	return at, nil
}

// longestMute is how long a mute may be.
const longestMute = 3650 * 24 * time.Hour

// parseLength reads 90m, 2h or 7d, as a flag has it.
func parseLength(flag, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil && n <= 1e5 {
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	switch {
	case err != nil || d <= 0:
		return 0, fmt.Errorf("%s %q: want a length such as 90m, 2h or 7d", flag, text)
	case d > longestMute:
		return 0, fmt.Errorf("%s %q is more than ten years: want a shorter length", flag, text)
	}
	return d, nil
}

// actCommand is a command that does one thing to findings. fill, which may be
// nil, adds to what is asked.
func (c *cli) actCommand(act, short string, fill func(body map[string]any) error) *cobra.Command {
	var note string
	cmd := &cobra.Command{Use: act + " FINDING…", Short: short, Args: cobra.MinimumNArgs(1)}
	cmd.Flags().StringVar(&note, "note", "", "why, for whoever reads the timeline")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body := map[string]any{"note": note}
		if fill != nil {
			if err := fill(body); err != nil {
				return err
			}
		}
		return c.with(cmd.Context(), func(cl *client) error { return c.act(cmd.Context(), cl, act, args, body, format.word) })
	}
	return cmd
}

// act does it to all of the findings, or to none.
func (c *cli) act(ctx context.Context, cl *client, act string, ids []string, body map[string]any, format string) error {
	if len(ids) > mostActedOn {
		return fmt.Errorf("%d findings are too many at once: name at most %d", len(ids), mostActedOn)
	}
	body["findings"] = ids
	var list web.ListBody[web.FindingBody]
	if err := cl.post(ctx, "/findings/"+act, body, &list); err != nil {
		return err
	}
	for i := range list.Items {
		if err := c.tellActed(ctx, cl, &list.Items[i], format); err != nil {
			return err
		}
	}
	return nil
}

// mostActedOn is how many findings one request may be about.
const mostActedOn = 500

func (c *cli) tellActed(ctx context.Context, cl *client, f *web.FindingBody, format string) error {
	if format == "json" {
		var whole web.FindingDetailBody
		if err := cl.get(ctx, "/findings/"+url.PathEscape(f.Finding), nil, &whole); err != nil {
			return err
		}
		return c.writeFinding(&whole, format)
	}
	text := f.Finding + " is " + f.State
	if f.State == "muted" {
		text += " until " + f.MutedUntil.String()
	}
	_, err := fmt.Fprintln(c.stdout, text)
	return c.written(err)
}
