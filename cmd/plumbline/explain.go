package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"plumbline/checks"
	"plumbline/cmd/plumbline/report"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/sources"
)

func (c *cli) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain CHECK",
		Short: "Show how a check would be read, and what that costs",
		Long: `Show how a check would be read: the plan and why not a faster one, the
statements with the indexes that serve them, and about how much is read. The
stores are asked for their plans; no record is read.`,
		Example: "  plumbline explain basket-prices",
		Args:    exactly("CHECK"), ValidArgsFunction: c.completeChecks(1),
	}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.explain(cmd.Context(), args[0], format.word) }
	return cmd
}

func (c *cli) explain(ctx context.Context, name, format string) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	picked, err := pick(config, []string{name})
	if err != nil {
		return err
	}
	r := newReaders(config, 0, nil)
	defer c.close(r)
	out := &report.Explanation{SchemaVersion: 1, Check: name, Edges: []report.ExplainedEdge{}}
	for i := range picked[0].Edges {
		edge, err := c.explainEdge(ctx, config, picked[0], i, r)
		if err != nil {
			return err
		}
		out.Edges = append(out.Edges, edge)
	}
	if format == "json" {
		err = report.WriteJSON(c.stdout, out)
	} else {
		err = report.WriteExplanation(c.stdout, out, c.style)
	}
	return c.written(err)
}

func (c *cli) explainEdge(ctx context.Context, config *configs.Config, check *checks.Check, i int, r *service.Readers) (report.ExplainedEdge, error) {
	comparison := checks.Compile(check, i, c.now())
	edge := report.ExplainedEdge{Replica: comparison.Edge.Name, SettleSeconds: comparison.Edge.Settle.Seconds()}
	owner, ownerFacts, err := c.explainSide(ctx, config, r, check.Owner.Source, &comparison.Owner)
	if err != nil {
		return edge, err
	}
	replica, replicaFacts, err := c.explainSide(ctx, config, r, comparison.Edge.Replica.Source, &comparison.Replica)
	if err != nil {
		return edge, err
	}
	plan, err := planOf(comparison, ownerFacts, replicaFacts)
	if err != nil {
		return edge, fmt.Errorf("plan %s in %s: %w", check.Name, edge.Replica, err)
	}
	edge.Explain(plan, owner, replica)
	edge.Estimate(plan.Cost(ownerFacts, replicaFacts), config.Sources[check.Owner.Source].Limits, config.Sources[comparison.Edge.Replica.Source].Limits)
	return edge, nil
}

// planOf is how an edge is read: the keys that its check draws, or everything.
func planOf(c *checks.Comparison, owner, replica checks.SideFacts) (checks.Plan, error) {
	if s := c.Check.Sample; !s.All() {
		return checks.NewSamplePlan(c, owner, replica, s)
	}
	return checks.NewPlan(c, owner, replica)
}

// explainSide asks one side what it declares and how it would run our statements.
func (c *cli) explainSide(ctx context.Context, config *configs.Config, r *service.Readers, name string, d *sources.Dataset) (report.ExplainedSide, checks.SideFacts, error) {
	side := report.ExplainedSide{Source: name, Dataset: d.Title(), Connections: config.Sources[name].Limits.Connections, Statements: []report.ExplainedStatement{}}
	reader, err := r.Find(name)
	if err != nil {
		return side, checks.SideFacts{}, err
	}
	facts := checks.SideFacts{Capabilities: reader.Capabilities()}
	if facts.Description, err = reader.Describe(ctx, d); err != nil {
		return side, facts, err
	}
	if facts.Estimate, _, err = reader.Count(ctx, d); err != nil {
		return side, facts, err
	}
	statements, err := reader.Explain(ctx, d)
	if err != nil {
		return side, facts, err
	}
	for _, s := range statements {
		side.Statements = append(side.Statements, report.ExplainedStatement{Purpose: s.Purpose, Text: s.Text, Plan: s.Plan, Index: s.Index,
			Sorts: s.Sorts, Records: s.Records, Bytes: s.Bytes})
	}
	side.Records = facts.Estimate
	side.Warnings = append([]string{}, facts.Description.Warnings...)
	return side, facts, nil
}
