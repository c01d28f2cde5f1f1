package checks_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"plumbline/checks"
	"plumbline/sources"
)

// The interval covers the share in as many samples as it says, and every key is
// as likely as any other, where keys have gaps and what differs lies together.
func TestSampleIntervalsCover(t *testing.T) {
	t.Parallel()
	// At a coverage of 95 %, fewer than 13 of 20 come once in ten million times.
	testCover(t, 10_000, 500, 20, 13)
}

func TestSoakSampleIntervalsCover(t *testing.T) {
	if os.Getenv("PLUMBLINE_SOAK") == "" {
		return
	}
	testCover(t, 50_000, 1_000, 1_000, 940)
}

// testCover draws samples of a table in PostgreSQL, whose copy is in SQLite.
func testCover(t *testing.T, keys, drawn, samples, least int) {
	s := openStores(t, "")
	seed := seeds(t, 1)[0]
	r := rand.New(rand.NewPCG(seed, 9))
	ids := make([]int, keys)
	behind := map[int64]bool{} // keys behind a gap
	at := 0
	for i := range ids {
		if at++; r.IntN(8) == 0 {
			at += 1 + r.IntN(20)
			behind[int64(at)] = true
		}
		ids[i] = at
	}
	for _, share := range []float64{0, 1e-4, 0.01, 0.3} {
		differ := int(math.Round(share * float64(keys)))
		first := r.IntN(keys - differ)
		s.exec("DROP TABLE IF EXISTS kept")
		s.exec("CREATE TABLE kept (id bigint PRIMARY KEY, value bigint NOT NULL)")
		s.exec("INSERT INTO kept SELECT unnest($1::bigint[]), 1", ids)
		s.exec("ANALYZE kept")
		s.execLite("DROP TABLE IF EXISTS kept")
		s.execLite("CREATE TABLE kept (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
		var rows []string
		for i, id := range ids {
			rows = append(rows, fmt.Sprintf("(%d, %d)", id, map[bool]int{true: 2, false: 1}[i >= first && i < first+differ]))
		}
		s.execLite("INSERT INTO kept VALUES " + strings.Join(rows, ", "))
		covered, chi := s.sampled(t, r, sampledTable{keys: ids, behind: behind, drawn: drawn, samples: samples, share: float64(differ) / float64(keys)})
		t.Logf("share %g: %d of %d intervals cover it; p = %.3f that draws are uniform", share, covered, samples, chi)
		if covered < least || chi < 1e-6 || samples >= 1000 && chi <= 0.001 {
			t.Errorf("share %g, seed %d: %d of %d intervals cover it; p = %g that draws are uniform", share, seed, covered, samples, chi)
		}
	}
}

type sampledTable struct {
	keys           []int
	behind         map[int64]bool
	drawn, samples int
	share          float64
}

// sampled draws and compares many samples, and returns how many intervals hold
// the share, and how likely it is that uniform draws are as uneven.
func (s *stores) sampled(t *testing.T, r *rand.Rand, table sampledTable) (covered int, p float64) {
	t.Helper()
	d := sources.Dataset{Name: "kept", Key: []string{"id"}}
	check := &checks.Check{Name: "kept", Owner: checks.Side{Source: "postgres", Kind: "postgres", Dataset: d}, Edges: []checks.Edge{{Name: "sqlite",
		Rules: []checks.Rule{field("value", "value")}, Replica: checks.Side{Source: "sqlite", Kind: "sqlite", Dataset: d}}}}
	budget := checks.Sample{Keys: table.drawn, Random: 1}
	a, err := checks.Open(t.Context(), check, 0, s.find, checks.Options{Sample: &budget})
	must(t, err)
	const stretches = 40
	cellOf := map[int64]int{}
	cells, met := make([]float64, 2*stretches), make([]float64, 2*stretches)
	for i, id := range table.keys {
		cell := i * stretches / len(table.keys)
		if table.behind[int64(id)] {
			cell += stretches
		}
		cellOf[int64(id)] = cell
		cells[cell]++
	}
	total := 0.0
	for range table.samples {
		drawn, err := a.Draw(t.Context(), budget, nil, r.Uint64())
		must(t, err)
		run := &checks.EdgeRun{Sampled: drawn.Sampled()}
		for _, segment := range drawn.Segments {
			for _, key := range segment.Keys {
				if segment.Pass.Drive == checks.OwnerSide {
					met[cellOf[key[0].AsInt()]]++
					total++
				}
			}
			must(t, a.Scan(t.Context(), segment, func(part *checks.Part) error {
				run.Counts.Add(part.Counts)
				verdicts, err := a.Judge(t.Context(), part.Suspects)
				for i := range verdicts {
					run.Counts.Add(verdicts[i].Counts)
				}
				return err
			}))
		}
		rate, ok := run.DriftRate()
		if !ok || rate.Keys != int64(table.drawn) || rate.Population != int64(len(table.keys)) {
			t.Fatalf("a share of %+v", rate)
		}
		if extra, ok := run.ExtraRate(); !ok || extra.Estimate != 0 {
			t.Fatalf("a share of extra keys of %+v", extra)
		}
		if rate.Low <= table.share && table.share <= rate.High {
			covered++
		}
	}
	chi := 0.0
	for cell, keys := range cells {
		expected := total * keys / float64(len(table.keys))
		chi += (met[cell] - expected) * (met[cell] - expected) / expected
	}
	// The tail of the chi-square by Wilson and Hilferty, 1931.
	k := float64(len(cells) - 1)
	return covered, 0.5 * math.Erfc((math.Cbrt(chi/k)-(1-2/(9*k)))/math.Sqrt(2/(9*k))/math.Sqrt2)
}
