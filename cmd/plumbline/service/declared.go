package service

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"plumbline/auditor"
	"plumbline/configs"
	"plumbline/web"
)

// Declare is what pages and API tell of a configuration: all but its secrets.
func Declare(config *configs.Config, at time.Time) *web.Declared {
	d := &web.Declared{LoadedAt: at}
	for i := range config.Checks {
		check := &config.Checks[i]
		declared := web.DeclaredCheck{Check: check, Spec: config.Schedules[check.Name], Since: at, Fix: config.Fixes[check.Name]}
		if declared.Spec != "" {
			schedule, _ := auditor.ParseSchedule(declared.Spec) // what cannot be read was refused with its place
			declared.Interval, declared.StaleAt = schedule.Interval(at), schedule.StaleAt
		}
		d.Checks = append(d.Checks, declared)
	}
	for _, name := range slices.Sorted(maps.Keys(config.Sources)) {
		s := config.Sources[name]
		d.Sources = append(d.Sources, web.DeclaredSource{Name: name, Kind: s.Kind, Team: s.Team, Connections: s.Connections,
			RecordsPerSecond: s.RecordsPerSecond, Page: s.Page, Statement: s.StatementTimeout, FixURL: s.FixURL != ""})
	}
	return d
}

// Checks are the checks of a configuration as an auditor works by them; key is the
// ledger's, which keeps hashes from telling what is in the configuration.
func Checks(config *configs.Config, key []byte) []auditor.Check {
	list := make([]auditor.Check, len(config.Checks))
	for i := range config.Checks {
		check := &config.Checks[i]
		list[i] = auditor.Check{Check: check, Spec: config.Schedules[check.Name], Hash: config.CheckHash(check, key),
			Fixes: config.Fixes[check.Name], FixHash: config.FixHash(check, key)}
		if spec := list[i].Spec; spec != "" {
			list[i].Schedule, _ = auditor.ParseSchedule(spec) // what cannot be read was refused with its place
		}
	}
	return list
}

// ledgerName names a ledger without what is secret in its address.
func ledgerName(config *configs.Config) string {
	address := config.Ledger.Reveal()
	if path, ok := strings.CutPrefix(address, "sqlite://"); ok {
		return path
	}
	u, err := url.Parse(address)
	if err != nil {
		return "in PostgreSQL"
	}
	return "in PostgreSQL at " + u.Host + u.Path
}
