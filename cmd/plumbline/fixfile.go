package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"

	"plumbline/cmd/plumbline/report"
	"plumbline/drift"
	"plumbline/reconciler"
	"plumbline/web"
)

// largestPlanFile bounds what is read of a plan's file.
const largestPlanFile = 256 << 20

// writePlanFile writes a plan with all its items as JSON. It holds values of
// records, so it is for its owner alone; a file that is there is replaced.
func writePlanFile(path string, plan *web.FixFileBody) error {
	if plan.PlanItems == nil {
		plan.PlanItems = []web.FixItemBody{}
	}
	var text bytes.Buffer
	if err := report.WriteJSON(&text, plan); err != nil {
		return err
	}
	f, err := os.CreateTemp(directory(path), ".plan-*.json") // only its owner may read it
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the plan: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func directory(path string) string {
	if at := strings.LastIndexByte(path, os.PathSeparator); at >= 0 {
		return path[:at+1]
	}
	return "."
}

// isPlan says whether an argument names a plan, and is no file.
func isPlan(argument string) bool { return regexp.MustCompile(`^[Pp]-[0-9]+$`).MatchString(argument) }

// planned is the plan that an argument names, as the ledger has it: by its id, or
// by a file, which must say of it what the ledger says.
func planned(ctx context.Context, cl *client, argument string) (*web.FixBody, error) {
	if isPlan(argument) {
		plan := &web.FixBody{}
		return plan, cl.get(ctx, fixPath(argument), nil, plan)
	}
	file, err := readPlanFile(argument)
	if err != nil {
		return nil, err
	}
	plan := &web.FixBody{}
	if err := cl.get(ctx, fixPath(file.Plan), nil, plan); err != nil {
		return nil, err
	}
	items, err := fixItems(ctx, cl, plan.Plan, "", 0)
	if err != nil {
		return nil, err
	}
	if why := differs(file, plan, items); why != "" {
		return nil, fmt.Errorf("refused: %s is not %s as it was drafted: %s. Nothing was done; read it with plumbline fix show %s, or draft it again",
			argument, plan.Plan, why, plan.Plan)
	}
	return plan, nil
}

func readPlanFile(path string) (*web.FixFileBody, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is neither a plan, such as P-77, nor a file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, largestPlanFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	file := &web.FixFileBody{}
	if err := json.Unmarshal(text, file); err != nil || len(text) > largestPlanFile || !isPlan(file.Plan) {
		return nil, fmt.Errorf("%s holds no plan: want a file that plumbline fix plan --out wrote", path)
	}
	return file, nil
}

// differs says where a file says of a plan what the ledger does not; "" is nowhere.
// States and outcomes are of their time, and not compared.
func differs(file *web.FixFileBody, plan *web.FixBody, items []web.FixItemBody) string {
	hashes := make([]string, len(file.PlanItems))
	for i := range file.PlanItems {
		hashes[i] = file.PlanItems[i].Hash
	}
	switch {
	case file.Hash != plan.Hash:
		return "its hash is another"
	case file.Check != plan.Check || file.Replica != plan.Replica || file.Undoes != plan.Undoes || file.By != plan.By:
		return "it is of another check, replica or way"
	case len(items) > 0 && items[0].Hash == "":
		return "you may not see values of records, so what it shows cannot be held against the plan"
	case len(items) != len(file.PlanItems):
		return fmt.Sprintf("it has %d records, and the plan %d", len(file.PlanItems), len(items))
	case reconciler.PlanHash(hashes) != file.Hash:
		return "its hash is not that of its records"
	case !reflect.DeepEqual(shownPlan(file), shownPlan(&web.FixFileBody{FixBody: *plan})):
		return "what it was drafted from, or what was looked at before, is shown otherwise"
	}
	for i := range items {
		if !reflect.DeepEqual(shownItem(file.PlanItems[i]), shownItem(items[i])) {
			return fmt.Sprintf("record %d (%s) is shown otherwise", items[i].N, drift.Visible(items[i].KeyText))
		}
	}
	return ""
}

// shownItem is what of an item was there to be approved.
func shownItem(i web.FixItemBody) web.FixItemBody {
	fields := append([]web.FixFieldBody{}, i.Fields...)
	return web.FixItemBody{N: i.N, Finding: i.Finding, KeyText: i.KeyText, Kind: i.Kind, Fields: fields, Statement: i.Statement, Hash: i.Hash}
}

// shownPlan is what of a plan, besides its items, was there to be approved.
func shownPlan(p *web.FixFileBody) web.FixBody {
	return web.FixBody{Number: p.Number, Choice: p.Choice, Auto: p.Auto, DraftedBy: p.DraftedBy, DraftedAt: p.DraftedAt, Needs: p.Needs, StopOnError: p.StopOnError,
		Items: p.Items, Kinds: p.Kinds, LeftOut: append([]web.FixLeftOutBody{}, p.LeftOut...), Checklist: append([]web.FixSafetyBody{}, p.Checklist...)}
}
