package web

import (
	"context"
	"encoding/hex"

	"github.com/danielgtaylor/huma/v2"

	"plumbline/access"
	"plumbline/ledger"
)

func (a *api) audit(h huma.API) {
	serve(a, h, get("list-audit", "/audit", access.Audit, "What people and tokens did or tried, the newest first"), a.listAudit)
}

// EntryBody is an entry of the audit log. It holds no value of a record.
type EntryBody struct {
	ID      string  `json:"id"`
	Number  int64   `json:"number" doc:"Counts sealed entries from 1 without a gap; 0 before it is sealed."`
	At      Instant `json:"at"`
	Actor   string  `json:"actor"`
	Account string  `json:"account" doc:"The account's id; empty for the local user."`
	Role    string  `json:"role"`
	Via     string  `json:"via" enum:"page,api,command,slack"`
	Address string  `json:"address"`
	Action  string  `json:"action"`
	Object  string  `json:"object"`
	Outcome string  `json:"outcome" enum:"ok,denied,failed"`
	Detail  string  `json:"detail"`
	Seal    string  `json:"seal" doc:"In hexadecimal; empty before it is sealed."`
}

func entryBody(e *access.Entry) EntryBody {
	return EntryBody{ID: e.ID, Number: e.Number, At: Instant(e.At), Actor: e.Actor, Account: e.Account, Role: string(e.Role), Via: string(e.Via),
		Address: e.Address, Action: e.Action, Object: e.Object, Outcome: string(e.Outcome), Detail: e.Detail, Seal: hex.EncodeToString(e.Seal)}
}

type auditInput struct {
	Actor   string `query:"actor"`
	Action  string `query:"action"`
	Object  string `query:"object" doc:"Whole, such as finding F-812."`
	Outcome string `query:"outcome" enum:"ok,denied,failed"`
	Paging
}

func (a *api) listAudit(ctx context.Context, in *auditInput) (*answer[ListBody[EntryBody]], error) {
	list, next, err := a.Ledger.AuditEntries(ctx, ledger.AuditFilter{Actor: in.Actor, Action: in.Action, Object: in.Object, Outcome: in.Outcome, After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, a.problemOf(err)
	}
	body := ListBody[EntryBody]{Items: []EntryBody{}, Next: next}
	for i := range list {
		body.Items = append(body.Items, entryBody(&list[i]))
	}
	return answered(body), nil
}
