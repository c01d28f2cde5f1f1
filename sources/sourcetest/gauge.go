package sourcetest

import (
	"fmt"
	"sync"
	"testing"

	"plumbline/sources"
)

// testGauge asks how busy the store is while as many read as would use up every
// connection: the answer comes all the same, and takes no connection more.
func (s *suite) testGauge(t *testing.T) {
	f := s.crowd(t)
	const connections = 3
	url, line := s.URL, Line(nil)
	if s.Through != nil {
		url, line = s.Through(t)
	}
	src := s.open(t, sources.Options{Name: s.Adapter, URL: url, Connections: connections})
	gauger := src.(sources.Gauger)
	var readers sync.WaitGroup
	problems := make(chan error, 2*connections)
	for g := range cap(problems) {
		readers.Go(func() {
			for range 4 {
				if err := s.readSome(t.Context(), src, f, &f.dataset, g); err != nil {
					problems <- fmt.Errorf("goroutine %d: %w", g, err)
					return
				}
			}
		})
	}
	for range 5 {
		load, err := gauger.Gauge(t.Context())
		if err != nil {
			t.Fatalf("gauge: %v", s.note(err))
		}
		if load.Active < 0 || load.Lag < 0 {
			t.Errorf("the load is %+v", load)
		}
		if !load.ActiveKnown && load.Note == "" {
			t.Errorf("no note says why the number of active statements is not known: %+v", load)
		}
		s.noSecret(t, load.Note)
	}
	readers.Wait()
	close(problems)
	for err := range problems {
		t.Error(s.note(err))
	}
	if line != nil && line.Peak() > connections {
		t.Errorf("%d connections were open at once, %d allowed", line.Peak(), connections)
	}
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
