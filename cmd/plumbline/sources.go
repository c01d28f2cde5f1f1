package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/service"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/sources"
)

// sourceState is one source as `sources list` and `sources test` show it. Its
// address is no part of it.
type sourceState struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Team   string   `json:"team"`
	UsedBy []string `json:"used_by"`
	*probed
}

// probed is what a source answered.
type probed struct {
	State    string   `json:"state"` // up | down
	Product  string   `json:"product"`
	Version  string   `json:"version"`
	Latency  float64  `json:"latency_seconds"`
	ReadOnly bool     `json:"read_only"`
	Standby  bool     `json:"standby"`
	Notes    []string `json:"notes"`
	Error    string   `json:"error"`
}

func (c *cli) sourcesCommand() *cobra.Command {
	list := &cobra.Command{
		Use:   "list",
		Short: "List the configured sources and the checks that read them",
		Args:  atMost(0),
	}
	listFormat := output(list, "table", "json")
	list.RunE = func(*cobra.Command, []string) error { return c.listSources(listFormat.word) }
	test := &cobra.Command{
		Use:   "test [NAME]",
		Short: "Reach each source, or the one named, and say who answers",
		Long:  "Reach each source, or the one named, and say who answers and what our role may do.\n\nExit codes: 0 all up, 2 any down.",
		Args:  atMost(1), ValidArgsFunction: c.completeSources,
	}
	testFormat := output(test, "table", "json")
	test.RunE = func(cmd *cobra.Command, args []string) error {
		return c.testSources(cmd.Context(), args, testFormat.word)
	}
	return c.group(&cobra.Command{Use: "sources", Short: "List and test the stores that are read"}, list, test)
}

func (c *cli) listSources(format string) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	states := []sourceState{}
	var t terminal.Table
	t.Row("SOURCE", "KIND", "TEAM", "USED BY")
	for _, name := range sourceNames(config) {
		s := config.Sources[name]
		used := usedBy(config, name)
		states = append(states, sourceState{Name: name, Kind: s.Kind, Team: s.Team, UsedBy: used})
		t.Row(name, s.Kind, drift.Visible(s.Team), strings.Join(used, ", "))
	}
	if format == "json" {
		return c.written(report.WriteJSON(c.stdout, states))
	}
	_, err = t.WriteTo(c.stdout)
	return c.written(err)
}

// written says that writing failed, if it did.
func (c *cli) written(err error) error {
	if err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

func (c *cli) testSources(ctx context.Context, args []string, format string) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	names := sourceNames(config)
	if len(args) == 1 {
		if _, ok := config.Sources[args[0]]; !ok {
			return errors.New(noSuch("source", args[0], names, "there are "+listed(names)))
		}
		names = args
	}
	r := newReaders(config, 0, nil)
	defer c.close(r)
	states := []sourceState{}
	up := true
	for _, name := range names {
		s := c.probeSource(ctx, config, r, name)
		up = up && s.State == "up"
		states = append(states, s)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if format == "json" {
		err = report.WriteJSON(c.stdout, states)
	} else {
		err = c.writeStates(states)
	}
	if err := c.written(err); err != nil {
		return err
	}
	if !up {
		return exit(report.ExitError)
	}
	return nil
}

func (c *cli) probeSource(ctx context.Context, config *configs.Config, r *service.Readers, name string) sourceState {
	declared := config.Sources[name]
	s := sourceState{Name: name, Kind: declared.Kind, Team: declared.Team, UsedBy: usedBy(config, name), probed: &probed{State: "down", Notes: []string{}}}
	reader, err := r.Find(name)
	var facts sources.Facts
	var took time.Duration
	if err == nil {
		facts, took, err = reader.Probe(ctx)
	}
	if err != nil {
		s.Error = c.scrub(err.Error())
		return s
	}
	s.State, s.Product, s.Version = "up", facts.Product, facts.Version
	s.Latency = math.Round(took.Seconds()*1e6) / 1e6
	s.ReadOnly, s.Standby = !facts.CanWrite, facts.Standby
	for _, note := range facts.Notes {
		s.Notes = append(s.Notes, c.scrub(note))
	}
	return s
}

func (c *cli) writeStates(states []sourceState) error {
	var t terminal.Table
	t.Row("SOURCE", "KIND", "STATE", "PRODUCT", "LATENCY", "ROLE", "NOTES")
	for _, s := range states {
		if s.State == "down" {
			t.Row(s.Name, s.Kind, "DOWN", "", "", "", drift.Visible(s.Error))
			t.Style(2, c.style.Bad)
			continue
		}
		role := "may only read"
		if !s.ReadOnly {
			role = "may write!"
		}
		notes := s.Notes
		if s.Standby {
			notes = append([]string{"a standby"}, notes...)
		}
		t.Row(s.Name, s.Kind, "up", drift.Visible(strings.TrimSpace(s.Product+" "+s.Version)),
			time.Duration(s.Latency*float64(time.Second)).Round(10*time.Microsecond).String(), role, drift.Visible(strings.Join(notes, "; ")))
		t.Style(2, c.style.Good)
	}
	_, err := t.WriteTo(c.stdout)
	return err
}
