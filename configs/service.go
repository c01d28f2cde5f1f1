package configs

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"plumbline/auditor"
	"plumbline/sources"
)

// What `plumbline serve` needs beside sources and checks: where its ledger is,
// where it listens, and when each check runs.

// ledgerAddress wants a database that Plumbline may keep its ledger in.
func ledgerAddress() scalar {
	s := secret("sqlite://FILE or postgres://user:password@host/database")
	return s.also(func(w written) error {
		if file, ok := strings.CutPrefix(w.text, "sqlite://"); ok {
			if file == "" || strings.HasPrefix(file, ":memory:") {
				return &refusal{message: "names no file: the ledger must outlive the process, as in sqlite://plumbline.db"}
			}
			return nil
		}
		if u, err := url.Parse(w.text); err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && u.Query().Get("host") == "" {
			return errUnwanted
		}
		return nil
	})
}

// ledger is where the ledger is; a relative file lies beside the configuration.
func (l *lowering) ledger(roots []*setting) sources.Secret {
	address, file := configuration().standard("ledger").(sources.Secret), roots[0].file
	if s := l.once(roots, "ledger"); s != nil && !s.bad {
		address, file = s.value.(sources.Secret), s.file
	}
	if path, ok := strings.CutPrefix(address.Reveal(), "sqlite://"); ok && !filepath.IsAbs(path) {
		return sources.Secret("sqlite://" + filepath.Join(filepath.Dir(file), path))
	}
	return address
}

// apart wants a source to be in other files than the ledger, which is written:
// sources are only read, or written a record at a time.
func (l *lowering) apart(ledger sources.Secret, roots []*setting, name string, source *setting) {
	path, ok := strings.CutPrefix(ledger.Reveal(), "sqlite://")
	if !ok || source.under == nil || valueOf[string](source, "kind") != "sqlite" {
		return
	}
	for _, key := range []string{"url", "fix_url"} {
		address := source.get(key)
		if address == nil || address.bad || !slices.Contains(filesOfSQLite(valueOf[sources.Secret](source, key).Reveal()), absolute(path)) {
			continue
		}
		l.together(roots, name, address)
		return
	}
}

// together reports that an address of a source leads to the ledger's file.
func (l *lowering) together(roots []*setting, name string, address *setting) {
	for _, root := range roots {
		if declared := root.get("ledger"); declared != nil {
			if declared.bad {
				return
			}
			l.problems = append(l.problems, declared.problem("ledger", "is a file of source %q: sources are only read, and a ledger is written, so give it a file of its own", name))
			return
		}
	}
	l.report(address, "is the file of Plumbline's own ledger, which is plumbline.db beside the configuration: name the store's file, or another one under ledger")
}

// filesOfSQLite are the files that an SQLite source's url leads to, attached
// ones included, as absolute paths. What it cannot read is refused when the
// source is opened.
func filesOfSQLite(address string) []string {
	path, query := address, ""
	for _, scheme := range []string{"sqlite://", "sqlite:", "file://localhost", "file://", "file:"} {
		rest, ok := strings.CutPrefix(address, scheme)
		if !ok {
			continue
		}
		path, query, _ = strings.Cut(rest, "?")
		if unescaped, err := url.PathUnescape(path); err == nil {
			path = unescaped
		}
		break
	}
	files := []string{absolute(path)}
	values, err := url.ParseQuery(query)
	if err != nil {
		return files
	}
	for _, attached := range values["attach"] {
		if _, file, ok := strings.Cut(attached, ":"); ok {
			files = append(files, absolute(file))
		}
	}
	return files
}

// absolute is a file's absolute path, or its path as written where the working
// directory cannot be told.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return filepath.Clean(path)
}

func (l *lowering) server(roots []*setting) Server {
	s := l.once(roots, "server")
	if s == nil || s.under == nil {
		s = &setting{record: server()}
	}
	out := Server{Listen: valueOf[string](s, "listen"), PublicURL: strings.TrimRight(valueOf[string](s, "public_url"), "/"), Metrics: valueOf[string](s, "metrics")}
	if inClear(out.PublicURL) {
		l.note(s.get("public_url"), "is http: browsers keep no sign-in there, but on this machine; let a proxy that speaks HTTPS stand in front")
	}
	if trusted := s.get("trusted_proxies"); trusted != nil {
		out.TrustedProxies = valuesOf[netip.Prefix](trusted)
	}
	return out
}

// schedule is when a check runs; its fallback is set by then.
func (l *lowering) schedule(check *setting) string {
	if check.under == nil {
		return ""
	}
	return valueOf[string](check, "schedule")
}

// schedule wants the times at which a check runs by itself.
func schedule() scalar {
	s := text("a schedule such as @hourly or \"*/5 * * * *\"")
	return s.also(func(w written) error {
		if _, err := auditor.ParseSchedule(w.text); err != nil {
			if shorten(w.text) != w.text { // the message would quote it whole
				return errUnwanted
			}
			return &refusal{message: err.Error()}
		}
		return nil
	})
}

// Interval is how far apart a check's runs are about now; 0 without a schedule.
func (c *Config) Interval(check string, now time.Time) time.Duration {
	s, err := auditor.ParseSchedule(c.Schedules[check])
	if err != nil { // it has none: others were refused when the configuration was read
		return 0
	}
	return s.Interval(now)
}
