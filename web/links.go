package web

import (
	"net/url"

	"plumbline/checks"
)

// The addresses of pages are promises; they are written here alone.

func checkURL(name string) string { return "/checks/" + url.PathEscape(name) }
func runURL(id string) string     { return "/runs/" + url.PathEscape(id) }
func findingURL(id string) string { return "/findings/" + url.PathEscape(id) }

func incidentURL(id string) string { return "/incidents/" + url.PathEscape(id) }
func fixURL(id string) string      { return "/fixes/" + url.PathEscape(id) }

func findingsURL(check, replica string) string {
	return "/findings?" + url.Values{"check": {check}, "replica": {replica}}.Encode()
}

func patternURL(check, replica, pattern string) string {
	return "/findings?" + url.Values{"check": {check}, "replica": {replica}, "pattern": {pattern}}.Encode()
}

func fieldURL(check, replica, field string) string {
	return "/findings?" + url.Values{"check": {check}, "replica": {replica}, "field": {field}}.Encode()
}

// sourceAnchor is where the page of sources shows one.
func sourceAnchor(name string) string { return "source-" + url.PathEscape(name) }

// sideTitle names a dataset in its source.
func sideTitle(s *checks.Side) string { return s.Source + "." + s.Dataset.Title() }

// replicaTitle names a replica's dataset, and the edge where it has another name.
func replicaTitle(e *checks.Edge) string {
	if e.Name != e.Replica.Source {
		return sideTitle(&e.Replica) + " (" + e.Name + ")"
	}
	return sideTitle(&e.Replica)
}
