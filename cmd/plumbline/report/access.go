package report

import (
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"

	"plumbline/access"
	"plumbline/cmd/plumbline/terminal"
	"plumbline/drift"
	"plumbline/ledger"
	"plumbline/web"
)

// AccountLine is an account as commands write it.
type AccountLine struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Role      access.Role `json:"role"`
	Disabled  bool        `json:"disabled"`
	CreatedAt web.Instant `json:"created_at"`
	ChangedAt web.Instant `json:"changed_at"`
	SeenAt    web.Instant `json:"seen_at"`
}

// AccountsOf are accounts as commands write them.
func AccountsOf(list []ledger.Account) []AccountLine {
	lines := make([]AccountLine, len(list))
	for i, a := range list {
		lines[i] = AccountLine{a.ID, a.Name, a.Role, a.Disabled, web.Instant(a.CreatedAt), web.Instant(a.ChangedAt), web.Instant(a.SeenAt)}
	}
	return lines
}

// WriteAccounts writes accounts as a table.
func WriteAccounts(w io.Writer, list []ledger.Account, now time.Time) error {
	if len(list) == 0 {
		_, err := io.WriteString(w, "there are no accounts: nobody signs in, and pages and API are for this machine alone\n")
		return err
	}
	var t terminal.Table
	t.Row("ACCOUNT", "ROLE", "STATE", "LAST SEEN")
	for _, a := range list {
		state := "active"
		if a.Disabled {
			state = "disabled"
		}
		t.Row(drift.Visible(a.Name), string(a.Role), state, agoOrNever(a.SeenAt, now))
	}
	_, err := t.WriteTo(w)
	return err
}

func agoOrNever(at, now time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return Ago(at, now) + " ago"
}

// TokenLine is a token as commands write it.
type TokenLine struct {
	ID        string              `json:"id"`
	Name      string              `json:"name"`
	Account   string              `json:"account"`
	Role      access.Role         `json:"role"`
	Scopes    []access.Permission `json:"scopes"`
	State     string              `json:"state"`
	CreatedBy string              `json:"created_by"`
	CreatedAt web.Instant         `json:"created_at"`
	ExpiresAt web.Instant         `json:"expires_at"`
	UsedAt    web.Instant         `json:"used_at"`
	RevokedAt web.Instant         `json:"revoked_at"`
}

// TokensOf are tokens as commands write them, with the names of their accounts;
// those that are no longer valid only where all are asked for.
func TokensOf(list []ledger.Token, accounts []ledger.Account, now time.Time, all bool) []TokenLine {
	names := map[string]string{}
	for _, a := range accounts {
		names[a.ID] = a.Name
	}
	lines := []TokenLine{}
	for _, t := range list {
		if state := t.State(now); all || state == "valid" {
			lines = append(lines, TokenLine{t.ID, t.Name, names[t.Account], t.Role, t.Scopes, state, t.CreatedBy,
				web.Instant(t.CreatedAt), web.Instant(t.ExpiresAt), web.Instant(t.UsedAt), web.Instant(t.RevokedAt)})
		}
	}
	return lines
}

// WriteTokens writes tokens as a table.
func WriteTokens(w io.Writer, lines []TokenLine, now time.Time) error {
	if len(lines) == 0 {
		_, err := io.WriteString(w, "no token is valid\n")
		return err
	}
	var t terminal.Table
	t.Row("ID", "TOKEN", "OF", "ROLE", "SCOPES", "STATE", "EXPIRES", "LAST USED")
	for _, line := range lines {
		of := line.Account
		if of == "" {
			of = "nobody"
		}
		t.Row(line.ID, drift.Visible(line.Name), drift.Visible(of), string(line.Role), access.ScopeWords(line.Scopes), line.State,
			time.Time(line.ExpiresAt).Format(time.DateOnly), agoOrNever(time.Time(line.UsedAt), now))
	}
	_, err := t.WriteTo(w)
	return err
}

// EntryLine is an entry of the audit log as commands write it.
type EntryLine struct {
	Number  int64          `json:"number"`
	At      web.Instant    `json:"at"`
	Actor   string         `json:"actor"`
	Account string         `json:"account"`
	Role    access.Role    `json:"role"`
	Via     access.Via     `json:"via"`
	Address string         `json:"address"`
	Action  string         `json:"action"`
	Object  string         `json:"object"`
	Outcome access.Outcome `json:"outcome"`
	Detail  string         `json:"detail"`
	ID      string         `json:"id"`
	Seal    string         `json:"seal"`
}

// EntryOf is an entry as commands write it.
func EntryOf(e *access.Entry) EntryLine {
	return EntryLine{e.Number, web.Instant(e.At), e.Actor, e.Account, e.Role, e.Via, e.Address, e.Action, e.Object, e.Outcome, e.Detail, e.ID,
		hex.EncodeToString(e.Seal)}
}

// EntriesCSV begins a table of entries.
func EntriesCSV(w io.Writer) (*csv.Writer, error) {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return out, out.Write([]string{"number", "at", "actor", "account", "role", "via", "address", "action", "object", "outcome", "detail", "id", "seal"})
}

// WriteEntryCSV writes one entry, in cells that no spreadsheet calculates.
func WriteEntryCSV(out *csv.Writer, e *EntryLine) error {
	row := []string{strconv.FormatInt(e.Number, 10), e.At.String(), e.Actor, e.Account, string(e.Role), string(e.Via), e.Address,
		e.Action, e.Object, string(e.Outcome), e.Detail, e.ID, e.Seal}
	for i := range row {
		row[i] = cellText(row[i])
	}
	if err := out.Write(row); err != nil {
		return fmt.Errorf("write entry %d: %w", e.Number, err)
	}
	return nil
}
