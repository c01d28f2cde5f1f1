// Package configs reads what people declare: strictly, all problems at once,
// each with the place where it stands.
//
// Every key is declared once, in definition*.go. The strict reader (shape.go,
// record.go, scalar.go) and the JSON Schema for editors (schema.go) both walk
// those declarations. What was read is then lowered to sources and checks
// (lower*.go), where everything is refused that can be known to be wrong
// without reaching a store.
package configs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"plumbline/checks"
	"plumbline/reconciler"
	"plumbline/sources"
)

// Config is a configuration that has no problem.
type Config struct {
	// Ledger is the address of Plumbline's own database. The file of an SQLite
	// ledger lies beside the configuration unless its path is absolute.
	Ledger  sources.Secret
	Server  Server
	Sources map[string]Source
	// Checks are sorted by name.
	Checks []checks.Check
	// Alerts say who is told, Access who may act.
	Alerts Alerts
	Access Access
	// Schedules say by the names of checks when they run, as auditor.ParseSchedule
	// reads it. A check without one runs when somebody asks.
	Schedules map[string]string
	// Fixes say by the names of checks and replicas how differences may be put
	// right. What is not in it is reconciler.ModeOff; see Fix.
	Fixes map[string]map[string]reconciler.Policy
	// Notes are what is no fault, and worth knowing.
	Notes Problems
}

// Server says where pages and API are served.
type Server struct {
	// Listen is a host and port; default 127.0.0.1:8080.
	Listen string
	// PublicURL is the address by which people reach it, without a slash at its
	// end; "" when undeclared.
	PublicURL string
	// TrustedProxies are those whose word is taken for where a request came from.
	TrustedProxies []netip.Prefix
	// Metrics is an address of its own for /metrics; "" is none.
	Metrics string
}

// Equal says whether both serve alike.
func (s Server) Equal(other Server) bool {
	return s.Listen == other.Listen && s.PublicURL == other.PublicURL && s.Metrics == other.Metrics &&
		slices.Equal(s.TrustedProxies, other.TrustedProxies)
}

// Source is one store as declared.
type Source struct {
	Name string
	Kind string // postgres | mongodb | mysql | sqlite | redis | http
	URL  sources.Secret
	// FixURL has the credentials that may write; "" where nothing is written.
	FixURL sources.Secret
	// Headers are sent with each request to an HTTP API; nil elsewhere.
	Headers map[string]sources.Secret
	Team    string // "" when undeclared
	Limits
}

// Equal says whether both are one store, read alike and by the same credentials.
func (s Source) Equal(other Source) bool {
	return s.Name == other.Name && s.Kind == other.Kind && s.URL == other.URL && s.FixURL == other.FixURL && s.Team == other.Team &&
		s.Limits == other.Limits && maps.Equal(s.Headers, other.Headers)
}

// Limits are how much is asked of a store.
type Limits struct {
	// Connections is how many are open at once; default 4.
	Connections int
	// Page is how long one page should take; default 500 ms.
	Page time.Duration
	// StatementTimeout is how long one statement may take; default 30 s.
	StatementTimeout time.Duration
	// RecordsPerSecond bounds reading; 0, the default, is no bound.
	RecordsPerSecond int
	// MaxLag and MaxActive are the replication lag and the number of others' active
	// statements beyond which reading waits; default 10 s and 25, 0 is off.
	MaxLag    time.Duration
	MaxActive int
}

// File is the text of one configuration file, under the name that problems give it.
type File struct {
	Name string
	Data []byte
}

// Load reads a file, or all *.yaml files of a directory, sorted and merged.
// Names beginning with a point are left out; directories below are not read.
// env looks up ${NAME} and readFile reads ${file:/path}. The error is Problems
// where the configuration is wrong, and another where it cannot be read.
func Load(path string, env func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, error) {
	files, err := filesOf(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(files, env, readFile)
}

func filesOf(path string) ([]File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		f, err := fileAt(path)
		return []File{f}, err
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, err
	}
	var files []File
	for _, entry := range entries {
		name := filepath.Join(path, entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), "."):
		case filepath.Ext(name) == ".yml":
			return nil, fmt.Errorf("%s: only *.yaml files of a directory are read: rename it to %s.yaml", name, strings.TrimSuffix(entry.Name(), ".yml"))
		case filepath.Ext(name) == ".yaml":
			f, err := fileAt(name)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: holds no *.yaml file: write one, or name another directory", path)
	}
	return files, nil
}

// fileAt reads one byte more than may be, so that Parse sees what is too long.
func fileAt(name string) (File, error) {
	file, err := os.Open(name)
	if err != nil {
		return File{}, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return File{}, err
	}
	return File{name, data}, nil
}

// Parse reads a configuration from the text of its files, merged in their order.
func Parse(files []File, env func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, error) {
	if len(files) == 0 {
		return nil, errors.New("read configuration: name at least one file")
	}
	r := &reader{env: env, readFile: readFile}
	shape := configuration()
	var roots []*setting
	whole := true
	for _, f := range files {
		documents, bad := parseFile(f)
		if bad != nil {
			r.problems = append(r.problems, bad.problem("", "%s", bad.message))
			whole = false
			continue
		}
		for _, n := range documents {
			roots = append(roots, shape.read(r, n, ""))
		}
	}
	var config *Config
	if whole { // or a name might only be unknown because its file could not be read
		config = lower(r, roots)
	}
	if len(r.problems) > 0 {
		return nil, r.problems.sorted()
	}
	return config, nil
}
