package service

import (
	"fmt"
	"net/http"

	"plumbline/auditor"
	"plumbline/configs"
	"plumbline/sources"
	"plumbline/sources/all"
)

// fixConnections is how many connections that may write are open at once for a
// plan: its records are written one after the other, and looked at between.
const fixConnections = 2

// NewFixing is what putting right needs of the configuration that config returns,
// which is asked whenever a plan is applied.
func NewFixing(config func() *configs.Config) auditor.Fixing {
	return auditor.Fixing{
		Fixer:   func(source string) (*sources.Fixer, func() error, error) { return openFixer(config(), source) },
		HTTP:    &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		CanHide: config().Access.DataKey != "", // which is taken over only by a new start
	}
}

// openFixer opens a source by the credentials that may write.
func openFixer(config *configs.Config, name string) (*sources.Fixer, func() error, error) {
	declared, ok := config.Sources[name]
	if !ok {
		return nil, nil, sources.Final(fmt.Errorf("source %s: is not declared under sources", name))
	}
	if declared.FixURL == "" {
		return nil, nil, sources.Final(fmt.Errorf("source %s: has no fix_url, so nothing is written to it", name))
	}
	open := all.Kinds()[declared.Kind]
	if open == nil {
		return nil, nil, sources.Final(fmt.Errorf("source %s: there is no kind %q", name, declared.Kind))
	}
	source, err := open(sources.Options{Name: name, URL: declared.FixURL, Connections: fixConnections,
		StatementTimeout: declared.StatementTimeout, Writable: true})
	if err != nil {
		return nil, nil, fmt.Errorf("source %s: open it by its fix_url: %w", name, err)
	}
	fixer := sources.NewFixer(name, source, sources.Limits{Page: declared.Page, Statement: declared.StatementTimeout})
	return fixer, fixer.Close, nil
}
