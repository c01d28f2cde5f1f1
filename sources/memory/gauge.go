package memory

import (
	"context"

	"plumbline/sources"
)

// Gauge implements sources.Gauger with what Config.Load says. It takes no connection.
func (s *source) Gauge(ctx context.Context) (sources.Load, error) {
	f := s.fate(ctx, "gauge", nil)
	if err := f.begin(ctx); err != nil {
		return sources.Load{}, err
	}
	if s.config.Load == nil {
		return sources.Load{Note: "nobody said how busy the store is"}, nil
	}
	return s.config.Load()
}
