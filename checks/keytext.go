package checks

import (
	"strings"
	"time"

	"plumbline/sources"
)

// KeyText writes a key in canonical form as ParseKey reads it, which is as the
// owner writes it: parts divided by commas, commas and backslashes in a part
// escaped where there are several parts.
func KeyText(check *Check, key sources.Key) string {
	parts := make([]string, len(key))
	for i, v := range key {
		parts[i] = formOf(check.Owner.Forms, i).Prefix + v.String()
		if len(key) > 1 {
			parts[i] = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(parts[i])
		}
	}
	return strings.Join(parts, ",")
}

// NotRun is the run of edge number i of a check that never began: cancelled
// before its turn, or with err where what it needs could not be had.
func NotRun(check *Check, i int, err error) EdgeRun {
	run := *newEdge(check, i, Options{}, time.Now()).run
	run.Result = Cancelled
	if err != nil {
		run.Result, run.Err = Error, err
		run.Reasons[err.Error()]++
	}
	return run
}
