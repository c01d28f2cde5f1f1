package mysql

import (
	"context"
	"fmt"
	"strings"

	"plumbline/sources"
)

// Probe asks the server for its version, its state and our role's rights.
func (s *source) Probe(ctx context.Context) (sources.Facts, error) {
	rows, err := s.facts(ctx, "SELECT VERSION() AS VERSION, CURRENT_USER() AS ROLE, @@GLOBAL.read_only AS READONLY, @@character_set_server AS CHARSET")
	if err != nil {
		return sources.Facts{}, err
	}
	r := rows[0]
	facts := sources.Facts{Product: "MySQL", Version: r["VERSION"], Notes: []string{"role " + r["ROLE"], "character set " + r["CHARSET"]}}
	if version, _, ok := strings.Cut(facts.Version, "-MariaDB"); ok {
		facts.Product, facts.Version = "MariaDB", version
	}
	if r["READONLY"] != "0" {
		facts.Notes = append(facts.Notes, "the server is read-only")
	}
	if facts.CanWrite, err = s.canWrite(ctx); err != nil {
		return sources.Facts{}, err
	}
	note := ""
	if facts.Standby, note, err = s.standby(ctx); err != nil {
		return sources.Facts{}, err
	}
	if note != "" {
		facts.Notes = append(facts.Notes, note)
	}
	return facts, nil
}

// canWrite says whether our role has a right to change records of any table.
func (s *source) canWrite(ctx context.Context) (bool, error) {
	rows, err := s.texts(ctx, "SHOW GRANTS")
	if err != nil {
		return false, fmt.Errorf("ask what our role may do: %w", err)
	}
	for _, r := range rows {
		rights, _, _ := strings.Cut(strings.TrimPrefix(strings.ToUpper(r[0]), "GRANT "), " ON ")
		for right := range strings.SplitSeq(rights, ",") {
			right, _, _ = strings.Cut(strings.TrimSpace(right), " (")
			switch right {
			case "ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE":
				return true, nil
			}
		}
	}
	return false, nil
}

// replication is what a standby says of its lines to its primaries; there are none
// where the server is no standby. Without the right to ask, denied says which right
// it takes.
func (c *conn) replication(ctx context.Context) (lines []map[string]string, denied string, err error) {
	questions, right := []string{"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"}, "REPLICATION CLIENT"
	if c.mariadb {
		questions, right = []string{"SHOW ALL SLAVES STATUS"}, "SLAVE MONITOR"
	}
	for _, question := range questions {
		lines, err = c.facts(ctx, question)
		switch number(err) {
		case errSyntax: // an older server knows the older word
			continue
		case errDenied:
			return nil, right, nil
		}
		return lines, "", err
	}
	return nil, "", err
}

// standby says whether the server follows another, and what it does not tell us.
func (s *source) standby(ctx context.Context) (standby bool, note string, err error) {
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return false, "", err
	}
	lines, denied, err := c.replication(ctx)
	s.pool.release(c)
	switch {
	case err != nil:
		return false, "", fmt.Errorf("ask whether the server is a standby: %w", err)
	case denied == "":
		return len(lines) > 0, "", nil
	}
	rows, err := s.facts(ctx, "SELECT @@GLOBAL.read_only AS READONLY")
	if err != nil {
		return false, "", fmt.Errorf("ask whether the server is a standby: %w", err)
	}
	return rows[0]["READONLY"] != "0", "whether it is a standby is guessed from read_only; with GRANT " + denied + " it would be known", nil
}
