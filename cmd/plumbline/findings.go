package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"plumbline/access"
	"plumbline/cmd/plumbline/report"
	"plumbline/web"
)

// findingFlags choose findings.
type findingFlags struct {
	check, replica, pattern, field, query string
	state, kind                           *choice
	limit                                 int
	format                                *choice
	veiled                                bool // no value of a record is written
}

func (f *findingFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.check, "check", "", "only of this check")
	flags.StringVar(&f.replica, "replica", "", "only in this replica")
	f.state = oneOf(cmd, "state", "only in this state; open is all but resolved", "open", "open", "confirmed", "regressed", "acknowledged", "muted", "fixing", "resolved", "all")
	f.kind = oneOf(cmd, "kind", "only of this kind", "", "mismatch", "missing", "extra", "duplicate", "unreadable")
	flags.StringVar(&f.pattern, "pattern", "", "only those that differ in just these words")
	flags.StringVar(&f.field, "field", "", "only those that differ in this field")
	flags.StringVar(&f.query, "query", "", "only those with this text in their id or key")
}

// oneOf adds a flag that takes one of a few words.
func oneOf(cmd *cobra.Command, name, usage, standard string, words ...string) *choice {
	c := &choice{word: standard, words: words}
	cmd.Flags().Var(c, name, usage)
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (f *findingFlags) asked() url.Values {
	state := f.state.word
	if state == "all" {
		state = ""
	}
	return asked("check", f.check, "replica", f.replica, "state", state, "kind", f.kind.word, "pattern", f.pattern, "field", f.field, "q", f.query)
}

func (c *cli) findingsCommand() *cobra.Command {
	var flags findingFlags
	list := &cobra.Command{Use: "list", Short: "List findings, those that changed last first", Args: atMost(0),
		Example: "  plumbline findings list --check basket-prices\n  plumbline findings list --state all --query 42 -o json"}
	flags.register(list)
	list.Flags().IntVar(&flags.limit, "limit", 50, "how many at most")
	flags.format = output(list, "table", "json", "ndjson", "csv", "md")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		if flags.limit < 1 {
			return fmt.Errorf("--limit %d: want at least 1", flags.limit)
		}
		return c.with(cmd.Context(), func(cl *client) error { return c.listFindings(cmd.Context(), cl, &flags) })
	}
	var exported findingFlags
	export := &cobra.Command{Use: "export", Short: "Write all findings that match", Args: atMost(0),
		Long: `Write all findings that match, page by page as they are read, without any value
of a record: neither keys, nor what the fields hold. With --values they are there,
masked as on the pages, and the audit log says who exported them.`}
	var values bool
	export.Flags().BoolVar(&values, "values", false, "with the values of records")
	exported.register(export)
	exported.format = output(export, "ndjson", "json", "csv", "md")
	export.RunE = func(cmd *cobra.Command, _ []string) error {
		exported.veiled = !values
		return c.with(cmd.Context(), func(cl *client) error { return c.exportFindings(cmd.Context(), cl, &exported) })
	}
	return c.group(&cobra.Command{Use: "findings", Short: "List, show and act on what was found to differ"},
		list, c.showFindingCommand(), c.ackCommand(), c.muteCommand(), c.unmuteCommand(), export)
}

// exportFindings writes what matches. That values leave is written down first:
// they cannot be taken back.
func (c *cli) exportFindings(ctx context.Context, cl *client, flags *findingFlags) error {
	if !flags.veiled {
		a := &access.Attempt{Actor: operator(), Action: "export findings", Object: "findings", Detail: "with values"}
		if flags.check != "" {
			a.Object = "check " + flags.check
		}
		if err := cl.ledger.Attest(ctx, a, access.Done); err != nil {
			return err
		}
	}
	return c.listFindings(ctx, cl, flags)
}

// listFindings writes what matches; a table or one JSON object once it is all
// there, the rest page by page.
func (c *cli) listFindings(ctx context.Context, cl *client, flags *findingFlags) error {
	cl.warnOfCheck(flags.check)
	var all []web.FindingBody
	var rows *csv.Writer
	take := func(page []web.FindingBody) error {
		for i := range page {
			if flags.veiled {
				page[i] = report.Veil(page[i])
			}
			var err error
			switch flags.format.word {
			case "ndjson":
				err = report.WriteLine(c.stdout, &page[i])
			case "csv":
				err = report.WriteFindingCSV(rows, &page[i])
			case "md":
				err = report.WriteFindingMarkdown(c.stdout, &page[i])
			default:
				all = append(all, page[i])
			}
			if err := c.written(err); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	switch flags.format.word {
	case "csv":
		rows, err = report.FindingsCSV(c.stdout)
	case "md":
		err = report.FindingsMarkdown(c.stdout)
	}
	if err := c.written(err); err != nil {
		return err
	}
	more, err := pages(ctx, cl, "/findings", flags.asked(), flags.limit, take)
	if err != nil {
		return err
	}
	switch flags.format.word {
	case "table":
		return c.written(report.WriteFindings(c.stdout, all, more, c.now(), c.style))
	case "json":
		if all == nil {
			all = []web.FindingBody{}
		}
		return c.written(report.WriteJSON(c.stdout, struct {
			SchemaVersion int               `json:"schema_version"`
			Items         []web.FindingBody `json:"items"`
			More          bool              `json:"more"`
		}{1, all, more}))
	case "csv":
		rows.Flush()
		return c.written(rows.Error())
	}
	return nil
}

func (c *cli) showFindingCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show FINDING", Short: "Show a finding: both sides as last read, and its life", Args: exactly("FINDING")}
	format := output(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(cl *client) error {
			var f web.FindingDetailBody
			if err := cl.get(cmd.Context(), "/findings/"+url.PathEscape(args[0]), nil, &f); err != nil {
				return err
			}
			return c.writeFinding(&f, format.word)
		})
	}
	return cmd
}

func (c *cli) writeFinding(f *web.FindingDetailBody, format string) error {
	if format == "json" {
		return c.written(report.WriteJSON(c.stdout, f))
	}
	return c.written(report.WriteFinding(c.stdout, f, c.style))
}
