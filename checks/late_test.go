package checks_test

import (
	"testing"
	"testing/synctest"
	"time"

	"plumbline/checks"
	"plumbline/sources"
	"plumbline/sources/memory"
)

// The replica that is read is a standby: what it shows is as old as its lag. A
// record that was put right within the settle time looks as if it had not been.
func TestSuspectsWaitOutTheLagOfAStandby(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits sources.Limits
		want   checks.Result
	}{
		{"lag known", sources.Limits{MaxLag: 10 * time.Second}, checks.Clean},
		{"nobody asks", sources.Limits{}, checks.Drift}, // the trap
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				readers := map[string]*sources.Reader{}
				for _, name := range []string{"owner", "replica"} {
					store := memory.NewStore()
					store.Create(memory.Table{Name: "t", Unique: []string{"k"}, Columns: []memory.Column{
						{Name: "k", FieldType: sources.FieldType{Kind: sources.KindInt}}, {Name: "v", FieldType: sources.FieldType{Kind: sources.KindInt}}}})
					store.Put("t", sources.Int(1), sources.Int(1))
					store.Put("t", sources.Int(2), sources.Int(2))
					config := memory.Config{}
					if name == "owner" {
						store.Put("t", sources.Int(2), sources.Int(3)) // a moment ago
					} else {
						late := 2 * time.Second
						config.Load = func() (sources.Load, error) { // the lag grows while suspects settle
							if time.Since(began) > time.Second {
								late = 5 * time.Second
							}
							return sources.Load{Standby: true, LagKnown: true, Lag: late}, nil
						}
						time.AfterFunc(4500*time.Millisecond, func() { store.Put("t", sources.Int(2), sources.Int(3)) })
					}
					readers[name] = sources.NewReader(name, store.Source(config), c.limits, nil)
				}
				side := func(source string) checks.Side {
					return checks.Side{Source: source, Kind: "memory", Dataset: sources.Dataset{Name: "t", Key: []string{"k"}}}
				}
				check := &checks.Check{Name: "prices", Owner: side("owner"), Edges: []checks.Edge{{Name: "replica", Replica: side("replica"), Settle: time.Second,
					Rules: []checks.Rule{{Owner: checks.FieldRef{Name: "v"}, Replica: checks.FieldRef{Name: "v"}, Precision: -1}}}}}
				run := checks.Run(t.Context(), check, 0, func(name string) (*sources.Reader, error) { return readers[name], nil }, checks.Options{})
				if run.Result != c.want {
					t.Errorf("the run is %s after %s: %+v, %v, %v", run.Result, time.Since(began), run.Counts, run.Reasons, run.Err)
				}
			})
		})
	}
}
