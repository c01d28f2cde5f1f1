package main

import (
	"slices"

	"plumbline/checks"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/sources"
)

func newReaders(config *configs.Config, maxRPS int, onWait func(sources.Wait)) *service.Readers {
	return service.NewReaders(config.Sources, service.ReaderOptions{MaxRPS: maxRPS, OnWait: onWait})
}

// close gives every connection back and tells what went wrong with that, which
// changes nothing of what was read.
func (c *cli) close(r *service.Readers) {
	if err := r.Close(); err != nil {
		c.console.Note(c.scrub("plumbline: " + err.Error()))
	}
}

// usedBy lists the checks that read a source, sorted.
func usedBy(config *configs.Config, source string) []string {
	names := []string{}
	for i := range config.Checks {
		check := &config.Checks[i]
		reads := check.Owner.Source == source ||
			slices.ContainsFunc(check.Edges, func(e checks.Edge) bool { return e.Replica.Source == source })
		if reads {
			names = append(names, check.Name)
		}
	}
	return names
}
