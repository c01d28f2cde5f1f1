package slack

import (
	"strings"

	"plumbline/alerts"
)

// mostChanges is how many changes of a schema a message names.
const mostChanges = 5

// schemaStory says what changed in which replica's check, and that nothing is
// compared until it is put right. It holds names of fields and types, and no value.
func schemaStory(i *alerts.Incident, add func(line)) {
	for _, e := range i.Facts.Edges {
		if len(e.Schema) == 0 {
			continue
		}
		for _, words := range e.Schema[:min(len(e.Schema), mostChanges)] {
			var l line
			l.stress(visible(e.Replica, longName))
			l.say(colon(words) + ", since ")
			l.date(e.SchemaSince)
			add(l)
		}
	}
	var l line
	l.say("Nothing is compared, for it would only show the change. Put the store or the check right; the next run sees it.")
	add(l)
}

// schemaWords are what changed, in one line.
func schemaWords(i *alerts.Incident) string {
	var all []string
	for _, e := range i.Facts.Edges {
		all = append(all, e.Schema...)
	}
	return strings.Join(all[:min(len(all), mostChanges)], "; ")
}
