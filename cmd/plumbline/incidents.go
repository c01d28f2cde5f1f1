package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/drift"
	"plumbline/web"
)

func (c *cli) incidentsCommand() *cobra.Command {
	return c.group(&cobra.Command{Use: "incidents", Short: "List, show and acknowledge what people are told about, and mute checks"},
		c.listIncidentsCommand(), c.showIncidentCommand(), c.ackIncidentCommand(), c.muteCheckCommand(), c.unmuteCheckCommand())
}

func (c *cli) listIncidentsCommand() *cobra.Command {
	var check string
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "List incidents, the newest first", Args: atMost(0)}
	cmd.Flags().StringVar(&check, "check", "", "only of this check")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many at most")
	state := oneOf(cmd, "state", "only in this state; open is all but resolved", "open", "open", "acknowledged", "resolved", "all")
	kind := oneOf(cmd, "kind", "only of this kind", "", "drift", "cannot check", "schema")
	format := output(cmd, "table", "json", "ndjson")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return fmt.Errorf("--limit %d: want at least 1", limit)
		}
		query := asked("check", check, "state", state.word, "kind", kind.word)
		return c.with(cmd.Context(), func(cl *client) error {
			return list(cmd.Context(), c, cl, "/incidents", query, limit, format.word, func(all []web.IncidentBody, more bool) error {
				return report.WriteIncidents(c.stdout, all, more, c.now(), c.style)
			})
		})
	}
	return cmd
}

func (c *cli) showIncidentCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show INCIDENT", Short: "Show an incident: what it counts, what happened, and where it was told", Args: exactly("INCIDENT")}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var i web.IncidentDetailBody
			if err := cl.get(cmd.Context(), "/incidents/"+url.PathEscape(args[0]), nil, &i); err != nil {
				return err
			}
			return c.writeIncident(&i, format.word)
		})
	}
	return cmd
}

func (c *cli) writeIncident(i *web.IncidentDetailBody, format string) error {
	if format == "json" {
		return c.written(report.WriteJSON(c.stdout, i))
	}
	return c.written(report.WriteIncident(c.stdout, i, c.now(), c.style))
}

func (c *cli) ackIncidentCommand() *cobra.Command {
	var note string
	cmd := &cobra.Command{Use: "ack INCIDENT", Short: "Say that you take an incident on", Args: exactly("INCIDENT")}
	cmd.Flags().StringVar(&note, "note", "", "what you are going to do, for whoever reads on")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var i web.IncidentDetailBody
			if err := cl.post(cmd.Context(), "/incidents/"+url.PathEscape(args[0])+"/ack", map[string]any{"note": note}, &i); err != nil {
				return err
			}
			if format.word == "json" {
				return c.writeIncident(&i, format.word)
			}
			_, err := fmt.Fprintf(c.stdout, "%s is %s by %s\n", i.Incident, i.State, drift.Visible(i.AcknowledgedBy))
			return c.written(err)
		})
	}
	return cmd
}

func (c *cli) muteCheckCommand() *cobra.Command {
	var until, length, reason string
	var grows bool
	cmd := &cobra.Command{Use: "mute CHECK", Short: "Not to be told anything new of a check, for a time or until more differs", Args: exactly("CHECK"),
		Example: "  plumbline incidents mute basket-prices --for 4h --reason \"planned import\"\n  plumbline incidents mute basket-prices --until-grows"}
	cmd.Flags().StringVar(&until, "until", "", "until this day or time, such as 2027-01-31 or 2027-01-31T12:00:00Z")
	cmd.Flags().StringVar(&length, "for", "", "for so long, such as 2h or 7d")
	cmd.Flags().BoolVar(&grows, "until-grows", false, "until more differs than now; with a time, whichever comes first")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever wonders about the silence")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body := map[string]any{"until_grows": grows, "reason": reason}
		switch {
		case until != "" || length != "":
			at, err := c.muteEnd(until, length)
			if err != nil {
				return err
			}
			body["until"] = at
		case !grows:
			return errors.New("say how long: --for 2h, --until 2027-01-31 or --until-grows")
		}
		return c.with(cmd.Context(), func(cl *client) error {
			var m web.MuteBody
			if err := cl.post(cmd.Context(), "/checks/"+url.PathEscape(args[0])+"/mute", body, &m); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.stdout, report.MuteWords(&m))
			return c.written(err)
		})
	}
	return cmd
}

func (c *cli) unmuteCheckCommand() *cobra.Command {
	return &cobra.Command{Use: "unmute CHECK", Short: "Lift the mute of a check", Args: exactly("CHECK"), RunE: func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var changed web.ChangedBody
			if err := cl.post(cmd.Context(), "/checks/"+url.PathEscape(args[0])+"/unmute", nil, &changed); err != nil {
				return err
			}
			text := drift.Visible(args[0]) + " is not muted any more"
			if changed.Changed == 0 {
				text = drift.Visible(args[0]) + " was not muted"
			}
			_, err := fmt.Fprintln(c.stdout, text)
			return c.written(err)
		})
	}}
}
