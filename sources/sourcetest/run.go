package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"plumbline/sources"
)

// Run runs every case of the contract against an adapter. Random choices come
// from a seed that is logged; PLUMBLINE_TEST_SEED repeats one.
func Run(t *testing.T, h Harness) {
	t.Helper()
	s := newSuite(t, h)
	s.checkHarness(t)
	s.source = s.open(t, sources.Options{Name: h.Adapter, URL: h.URL, Connections: 4})
	cases := []struct {
		name string
		run  func(*testing.T)
		asks []Ability // without one of these there is nothing to run
	}{
		{"offers what it says and nothing it denies", s.testOffers, nil},
		{"scan delivers every record exactly once whatever the limit", s.testScanLimits, []Ability{CannotScan}},
		{"scan delivers every record exactly once in any partition", s.testScanPartitions, []Ability{CannotScan}},
		{"scan by an exact order means the same set everywhere", s.testExactOrder, []Ability{CannotScan, CannotDescribe}},
		{"scan of keys alone", s.testKeysOnly, []Ability{CannotScan}},
		{"records at one position are never split", s.testTies, []Ability{CannotScan}},
		{"lookup finds each key in any form and page", s.testLookup, nil},
		{"lookup of a key that the store cannot hold finds nothing", s.testLookupStrangers, nil},
		{"lookup pages through many copies of one key", s.testLookupCopies, nil},
		{"lookup matches bytes and never by a collation", s.testLookupLookalikes, nil},
		{"scope, where and deleted_when", s.testFlags, nil},
		{"values come back as they went in", s.testValues, nil},
		{"fields by dotted path", s.testDottedPaths, []Ability{CannotNestDocuments}},
		{"raw pages decode to the same records", s.testRaw, []Ability{CannotScan, CannotDeliverRaw}},
		{"an empty dataset is empty and no error", s.testEmpty, nil},
		{"big records", s.testBigRecords, nil},
		{"describe", s.testDescribe, []Ability{CannotDescribe}},
		{"the shape of a dataset, while it changes", s.testSchema, []Ability{CannotShape}},
		{"missing tables and fields are named", s.testMissing, nil},
		{"a condition that makes no sense is final", s.testBadCondition, nil},
		{"split, count, explain and probe", s.testExtras, nil},
		{"gauging waits for no reader and takes no connection more", s.testGauge, []Ability{CannotGauge}},
		{"a draw is of distinct keys in scope, each as likely as any other", s.testSample, []Ability{CannotScan}},
		{"what changed last comes first", s.testRecent, []Ability{CannotRecent}},
		{"a cancelled read returns at once and harms nothing", s.testCancel, nil},
		{"many goroutines read at once", s.testConcurrency, nil},
		{"a line cut in mid-read is an error and never a short page", s.testCut, []Ability{CannotCut}},
		{"a store that is not there", s.testUnreachable, []Ability{CannotBeUnreachable}},
		{"reading cannot write", s.testReadOnly, []Ability{CannotTryToWrite}},
		{"close gives everything back", s.testClose, nil},
	}
	for _, c := range cases {
		if ability, why := s.lacks(c.asks); why != "" {
			t.Logf("conformance: %s left out: %s: cannot %s: %s", h.Adapter, c.name, ability, why)
			continue
		}
		t.Run(c.name, c.run)
	}
	if err := s.source.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	t.Run("no error shows a secret", s.testSecrets)
}

// newSuite chooses the seed and says what the adapter cannot.
func newSuite(t *testing.T, h Harness) *suite {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("PLUMBLINE_TEST_SEED"); s != "" {
		parsed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("PLUMBLINE_TEST_SEED: %v", err)
		}
		seed = parsed
	}
	t.Logf("conformance: %s, seed %d (PLUMBLINE_TEST_SEED=%d repeats it)", h.Adapter, seed, seed)
	for ability, why := range h.Cannot {
		t.Logf("conformance: %s cannot %s: %s", h.Adapter, ability, why)
	}
	return &suite{Harness: h, random: rand.New(rand.NewPCG(seed, 0)), shapes: map[string]*fixture{}, told: map[string]bool{}}
}

// suite is one Run.
type suite struct {
	Harness
	source sources.Source
	random *rand.Rand
	shapes map[string]*fixture
	errors []string
	told   map[string]bool
}

// checkHarness demands a reason for every hook that is left out.
func (s *suite) checkHarness(t *testing.T) {
	t.Helper()
	for ability, missing := range map[Ability]bool{
		CannotTryToWrite: s.Writing == nil, CannotCut: s.Through == nil, CannotBeUnreachable: s.Unreachable.URL == "",
		CannotShape: s.Alter == nil,
	} {
		if missing && s.Cannot[ability] == "" {
			t.Fatalf("the harness says neither how to %s nor in Cannot why not", ability)
		}
	}
	if s.Holds == nil || s.Load == nil || s.Open == nil || s.Condition == nil {
		t.Fatal("the harness lacks Open, Load, Holds or Condition")
	}
	if s.HoldsKey == nil {
		s.HoldsKey = s.Holds
	}
	if s.HoldsMixed == nil {
		s.HoldsMixed = s.HoldsKey
	}
}

func (s *suite) open(t testing.TB, o sources.Options) sources.Source {
	t.Helper()
	src, err := s.Open(o)
	if err != nil {
		s.note(err)
		t.Fatalf("open: %v", err)
	}
	return src
}

// note keeps an error's text for the last case, and returns the error.
func (s *suite) note(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		s.errors = append(s.errors, fmt.Sprintf("%v", e), fmt.Sprintf("%#v", e))
	}
	return err
}

func (s *suite) testSecrets(t *testing.T) {
	for _, bad := range s.BadURLs {
		src, err := s.Open(sources.Options{Name: "bad", URL: bad})
		if err == nil {
			t.Errorf("open of the bad URL %q is no error", bad.Reveal())
			if err := src.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			continue
		}
		s.note(err)
		if sources.FailureOf(err) != sources.FailureFinal {
			t.Errorf("open of a bad URL: %v; it is not final", err)
		}
	}
	for _, text := range s.errors {
		for _, secret := range s.Secrets {
			if strings.Contains(text, secret) {
				t.Errorf("an error shows the secret %q: %s", secret, text)
			}
		}
	}
	t.Logf("looked at %d errors for %d secrets", len(s.errors), len(s.Secrets))
}

// lacks says which of the abilities the adapter does not have, and why; "" for none.
func (s *suite) lacks(asked []Ability) (lacking Ability, why string) {
	for _, ability := range asked {
		if why := s.Cannot[ability]; why != "" {
			return ability, why
		}
	}
	return "", ""
}

// place is where a store is to hold a value.
type place string

const (
	aField    place = "a field"
	aKey      place = "a key"
	aMixedKey place = "a key of several kinds"
)

// holds says whether the store keeps v; each reason why not is logged once.
func (s *suite) holds(t testing.TB, v sources.Value, where place) bool {
	why := map[place]func(sources.Value) string{aField: s.Holds, aKey: s.HoldsKey, aMixedKey: s.HoldsMixed}[where](v)
	if why == "" {
		return true
	}
	if line := fmt.Sprintf("conformance: %s holds no %s like %s in %s: %s", s.Adapter, v.Kind(), clip(v.String()), where, why); !s.told[line] {
		s.told[line] = true
		t.Log(line)
	}
	return false
}

func clip(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%q… (%d bytes)", text[:40], len(text))
	}
	return fmt.Sprintf("%q", text)
}

func (s *suite) testOffers(t *testing.T) {
	offered := sources.NewReader(s.Adapter, s.source, sources.Limits{}, nil).Capabilities()
	for ability, offers := range map[Ability]bool{CannotScan: offered.Scan, CannotSplit: offered.Split, CannotCount: offered.Count,
		CannotDescribe: offered.Describe, CannotExplain: offered.Explain, CannotProbe: offered.Probe, CannotWrite: offered.Write,
		CannotSample: offered.Sample, CannotRecent: offered.Recent, CannotGauge: offered.Gauge, CannotShape: offered.Shape} {
		denied := s.Cannot[ability] != ""
		switch {
		case offers && denied:
			t.Errorf("the harness says it cannot %s (%s), but the source offers it", ability, s.Cannot[ability])
		case !offers && !denied:
			t.Errorf("the source does not %s, and the harness does not say why", ability)
		}
	}
}

// scan reads one page with a Scanner, or fails.
func (s *suite) scan(ctx context.Context, src sources.Source, d *sources.Dataset, r sources.ScanRequest) (sources.Page, error) {
	page, err := src.(sources.Scanner).Scan(ctx, d, r)
	if err != nil {
		s.note(err)
		if page.Len() > 0 {
			return page, fmt.Errorf("an error came with a page of %d records: %w", page.Len(), err)
		}
	}
	return page, err
}

func (s *suite) lookup(ctx context.Context, d *sources.Dataset, keys []sources.Key, after sources.Position, limit sources.Limit) (sources.Page, error) {
	page, err := s.source.Lookup(ctx, d, keys, after, limit)
	return page, s.note(err)
}
