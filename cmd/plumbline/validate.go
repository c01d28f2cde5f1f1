package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/drift"
)

// validation is what `plumbline validate -o json` writes.
type validation struct {
	SchemaVersion int       `json:"schema_version"`
	Valid         bool      `json:"valid"`
	Connected     bool      `json:"connected"`
	Problems      []problem `json:"problems"`
}

// problem is one thing that is wrong, or that a person should know.
type problem struct {
	Severity   string `json:"severity"` // error | warning | note
	File       string `json:"file"`
	Line       int    `json:"line"` // 0 where no line is to blame
	Column     int    `json:"column"`
	Path       string `json:"path"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
}

func (p *problem) String() string {
	text := ""
	if p.File != "" {
		text = p.File + ": "
		if p.Line > 0 {
			text = fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
		}
	}
	if p.Path != "" {
		text += p.Path + ": "
	}
	if p.Severity != wrong {
		text += p.Severity + ": "
	}
	text += p.Message
	if p.Suggestion != "" {
		text += fmt.Sprintf(" (did you mean %q?)", p.Suggestion)
	}
	return text
}

func (c *cli) validateCommand() *cobra.Command {
	var connect bool
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, and with --connect the stores it names",
		Long: `Check the configuration, and with --connect the stores it names: that they
answer, that tables and fields are there, that kinds can be compared, which
indexes serve, and whether the role may only read. No record is changed.

Exit codes: 0 valid, 2 not.`,
		Example: "  plumbline validate\n  plumbline validate --connect -c plumbline.d",
		Args:    atMost(0),
	}
	cmd.Flags().BoolVar(&connect, "connect", false, "also check the stores")
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.validate(cmd.Context(), connect, format.word) }
	return cmd
}

func (c *cli) validate(ctx context.Context, connect bool, format string) error {
	out := validation{SchemaVersion: 1, Valid: true, Problems: []problem{}}
	config, err := c.load()
	var problems configs.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			out.Problems = append(out.Problems, problem{Severity: wrong, File: p.File, Line: p.Line, Column: p.Column, Path: p.Path,
				Message: p.Message, Suggestion: p.Suggestion})
		}
	case err != nil:
		return err
	case connect:
		out.Connected = true
		connected := &connecting{cli: c, config: config, readers: newReaders(config, 0, nil), places: newPlaces(c.path())}
		defer c.close(connected.readers)
		out.Problems = connected.vetAll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if config != nil {
		for _, n := range config.Notes {
			out.Problems = append(out.Problems, problem{Severity: note, File: n.File, Line: n.Line, Column: n.Column, Path: n.Path, Message: n.Message})
		}
	}
	for i := range out.Problems {
		out.Problems[i].Message = c.scrub(out.Problems[i].Message)
		out.Valid = out.Valid && out.Problems[i].Severity != wrong
	}
	if err := c.written(c.writeValidation(&out, config, format)); err != nil {
		return err
	}
	if !out.Valid {
		return exit(report.ExitError)
	}
	return nil
}

func (c *cli) writeValidation(out *validation, config *configs.Config, format string) error {
	if format == "json" {
		return report.WriteJSON(c.stdout, out)
	}
	for i := range out.Problems {
		p := &out.Problems[i]
		colour := c.style.Doubt
		if p.Severity == wrong {
			colour = c.style.Bad
		}
		if _, err := fmt.Fprintln(c.stdout, colour(drift.Visible(p.String()))); err != nil {
			return err
		}
	}
	if !out.Valid {
		return nil
	}
	connected := ""
	if out.Connected {
		connected = ", and its stores agree"
	}
	_, err := fmt.Fprintf(c.stdout, "%s: %s, %s: %s\n", c.path(), terminal.Plural(int64(len(config.Sources)), "source"), terminal.Plural(int64(len(config.Checks)), "check"),
		c.style.Good("valid"+connected))
	return err
}
