package redis

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"plumbline/sources"
)

// info asks for sections of INFO, as names and values.
func (s *source) info(ctx context.Context, what string, sections ...string) (map[string]string, error) {
	return ask(ctx, s, what, func(ctx context.Context) (map[string]string, error) {
		pipe := s.client.Pipeline() // Redis 6 takes one section at a time
		answers := make([]*redis.StringCmd, len(sections))
		for i, section := range sections {
			answers[i] = pipe.Info(ctx, section)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		all := map[string]string{}
		for _, answer := range answers {
			maps.Copy(all, fieldsOf(answer.Val()))
		}
		return all, nil
	})
}

// fieldsOf are the names and values of an answer to INFO.
func fieldsOf(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok && !strings.HasPrefix(line, "#") {
			fields[name] = value
		}
	}
	return fields
}

// Probe says what server answers and as whom we read.
func (s *source) Probe(ctx context.Context) (sources.Facts, error) {
	info, err := s.info(ctx, "probe", "server", "replication")
	if err != nil {
		return sources.Facts{}, err
	}
	if mode := info["redis_mode"]; mode == "cluster" || mode == "sentinel" {
		return sources.Facts{}, sources.Final(fmt.Errorf("probe: redis %s runs in %s mode, which is not yet supported: read a server that stands alone, or a replica of one", s.address, mode))
	}
	facts := sources.Facts{Product: "Redis", Version: info["redis_version"], Standby: info["role"] == "slave"}
	if version := info["valkey_version"]; version != "" {
		facts.Product, facts.Version = "Valkey", version
	}
	facts.CanWrite, err = s.canWrite(ctx)
	if err != nil {
		facts.Notes = append(facts.Notes, "whether the user may write cannot be told: it may not ask (grant +acl|whoami and +acl|dryrun, or use Redis 7)")
	}
	if facts.Standby {
		facts.Notes = append(facts.Notes, "a replica answers: what it lacks may merely be late, and it shows no key whose time has come")
	}
	return facts, nil
}

// canWrite asks whether our user could set a key, without setting one.
func (s *source) canWrite(ctx context.Context) (bool, error) {
	return ask(ctx, s, "probe", func(ctx context.Context) (bool, error) {
		user, err := s.client.Do(ctx, "ACL", "WHOAMI").Text()
		if err != nil {
			return false, err
		}
		said, err := s.client.ACLDryRun(ctx, user, "SET", "plumbline", "1").Result()
		return err == nil && said == "OK", err
	})
}

// Gauge says how far replication is behind. Redis does one command at a time, and
// does not say how many wait.
func (s *source) Gauge(ctx context.Context) (sources.Load, error) {
	info, err := s.info(ctx, "gauge", "replication")
	if err != nil {
		return sources.Load{}, err
	}
	return loadOf(info), nil
}

// loadOf reads the load from INFO replication.
func loadOf(info map[string]string) sources.Load {
	load := sources.Load{Note: "Redis does one command at a time, and does not say how many wait", Standby: info["role"] == "slave"}
	if load.Standby {
		behind := info["master_last_io_seconds_ago"]
		if info["master_link_status"] != "up" {
			behind = info["master_link_down_since_seconds"]
		}
		load.Lag, load.LagKnown = seconds(behind)
		return load
	}
	for i := 0; ; i++ {
		standby, there := info["slave"+strconv.Itoa(i)]
		if !there {
			return load
		}
		for field := range strings.SplitSeq(standby, ",") {
			if text, ok := strings.CutPrefix(field, "lag="); ok {
				if lag, known := seconds(text); known {
					load.Lag, load.LagKnown = max(load.Lag, lag), true
				}
			}
		}
	}
}

func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return time.Duration(max(n, 0)) * time.Second, err == nil && n >= 0
}

// Count says how many keys the last whole pass over the dataset met; before one,
// how many the database has where all of them are the dataset's, and else 0, which
// is not known.
func (s *source) Count(ctx context.Context, d *sources.Dataset) (int64, error) {
	p, err := s.ready(d)
	if err != nil {
		return 0, err
	}
	if n := s.estimate(p.glob); n > 0 || p.glob != "*" {
		return n, nil
	}
	return ask(ctx, s, "count "+p.Title(), func(ctx context.Context) (int64, error) { return s.client.DBSize(ctx).Result() })
}

func (s *source) estimate(glob string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted[glob]
}
