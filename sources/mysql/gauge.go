package mysql

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"plumbline/sources"
)

// Gauge asks how many threads are at work, ours left out, and how far a standby is
// behind its primary.
func (s *source) Gauge(ctx context.Context) (sources.Load, error) {
	rows, err := s.facts(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_running'")
	if err != nil {
		return sources.Load{}, fmt.Errorf("ask how busy the server is: %w", err)
	}
	ours := int(s.pool.running.Load()) + 1 // the one that asked
	var load sources.Load
	if len(rows) > 0 {
		running, err := strconv.Atoi(rows[0]["VALUE"])
		load.Active, load.ActiveKnown = max(0, running-ours), err == nil
	}
	lines, denied, err := s.replication(ctx)
	if err != nil {
		return sources.Load{}, fmt.Errorf("ask how late the server is: %w", err)
	}
	load.Lag, load.LagKnown = lag(lines)
	switch {
	case denied != "":
		load.Note = "how late it is, the server does not tell our role; run: GRANT " + denied + " ON *.* TO …"
	case len(lines) > 0 && !load.LagKnown:
		load.Note = "the standby's line to its primary is down; how late it is, nobody knows"
	case len(lines) == 0:
		load.Note = "a primary does not tell how late its standbys are; give the standby itself as a source"
	}
	return load, nil
}

// lag is the longest delay of a standby's lines; it is known only where each tells its own.
func lag(lines []map[string]string) (longest time.Duration, known bool) {
	for _, line := range lines {
		text, ok := line["SECONDS_BEHIND_SOURCE"]
		if !ok {
			text, ok = line["SECONDS_BEHIND_MASTER"]
		}
		seconds, err := strconv.Atoi(text)
		if !ok || err != nil {
			return 0, false
		}
		longest = max(longest, time.Duration(seconds)*time.Second)
	}
	return longest, len(lines) > 0
}
