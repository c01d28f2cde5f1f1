package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"plumbline/access"
	"plumbline/cmd/plumbline/report"
	"plumbline/ledger"
)

func (c *cli) auditCommand() *cobra.Command {
	return c.group(&cobra.Command{Use: "audit", Short: "Verify and export the audit log"}, c.verifyAuditCommand(), c.exportAuditCommand())
}

func (c *cli) verifyAuditCommand() *cobra.Command {
	var kept string
	cmd := &cobra.Command{Use: "verify", Short: "Say whether the audit log is as it was written", Args: atMost(0),
		Long: `Follow the chain of the audit log from its first entry. Exit code 0 says that no
entry was changed, moved or removed; 1 that one was, and names it.

serve logs the head of the chain as it grows ("audit head"). With one of those
heads, kept elsewhere, also a log that was cut off or written anew is found.`,
		Example: "  plumbline audit verify\n  plumbline audit verify --head 10482:9f3c…"}
	cmd.Flags().StringVar(&kept, "head", "", "a head that was logged, which the log must still hold")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var want *access.Head
		if kept != "" {
			head, err := access.ParseHead(kept)
			if err != nil {
				return fmt.Errorf("--head: %w", err)
			}
			want = &head
		}
		return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error { return c.verifyAudit(ctx, l, want) })
	}
	return cmd
}

func (c *cli) verifyAudit(ctx context.Context, l *ledger.Ledger, want *access.Head) error {
	var head access.Head
	var unsealed int64
	a := &access.Attempt{Actor: operator(), Action: "verify audit log"}
	head, unsealed, err := l.VerifyAudit(ctx, want)
	if broken, ok := errors.AsType[*access.BrokenError](err); ok {
		a.Detail = broken.Error()
		if err := l.Attest(ctx, a, access.Failed); err != nil {
			return err
		}
		c.fail("the audit log is not as it was written: %s", broken)
		return exit(report.ExitDrift)
	}
	if err != nil {
		return err
	}
	waiting := ""
	if unsealed > 0 {
		waiting = fmt.Sprintf("; not sealed yet: %d, which plumbline serve does within a second", unsealed)
	}
	if head.Number == 0 {
		return c.say("the audit log is empty%s", waiting)
	}
	a.Detail = "whole, head " + head.String()
	if err := l.Attest(ctx, a, access.Done); err != nil {
		return err
	}
	return c.say("the audit log is whole: entries 1 to %d, head %s%s", head.Number, head, waiting)
}

func (c *cli) exportAuditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "export", Short: "Write the sealed entries of the audit log, in their order", Args: atMost(0)}
	format := output(cmd, "ndjson", "csv", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.onLedger(cmd.Context(), false, func(ctx context.Context, l *ledger.Ledger) error {
			// Its entry is written first: what has left cannot be taken back.
			if err := l.Attest(ctx, &access.Attempt{Actor: operator(), Action: "export audit log", Detail: format.word}, access.Done); err != nil {
				return err
			}
			return c.exportAudit(ctx, l, format.word)
		})
	}
	return cmd
}

func (c *cli) exportAudit(ctx context.Context, l *ledger.Ledger, format string) error {
	lines := []report.EntryLine{}
	var rows *csv.Writer
	if format == "csv" {
		var err error
		if rows, err = report.EntriesCSV(c.stdout); err != nil {
			return c.written(err)
		}
	}
	err := l.WalkAudit(ctx, func(e *access.Entry) error {
		line := report.EntryOf(e)
		switch format {
		case "csv":
			return c.written(report.WriteEntryCSV(rows, &line))
		case "ndjson":
			return c.written(report.WriteLine(c.stdout, &line))
		}
		lines = append(lines, line)
		return nil
	})
	switch {
	case err != nil:
		return err
	case format == "csv":
		rows.Flush()
		return c.written(rows.Error())
	case format == "json":
		return c.written(report.WriteJSON(c.stdout, struct {
			SchemaVersion int                `json:"schema_version"`
			Items         []report.EntryLine `json:"items"`
		}{1, lines}))
	}
	return nil
}
