package memory

import "plumbline/sources"

// extras are the optional interfaces that go together.
type extras interface {
	sources.Counter
	sources.Explainer
	sources.Prober
	sources.Gauger
	sources.Shaper
}

// offer returns s with just the interfaces that w leaves. Which interfaces a
// value has is fixed by its type, so there is a type for each choice.
func offer(s *source, w Without) sources.Source {
	type (
		scan  = sources.Scanner
		split = sources.Splitter
		desc  = sources.Describer
	)
	base := struct{ sources.Source }{s}
	switch {
	case !w.Scan && !w.Split && !w.Describe && !w.Extras && !w.Write:
		return s
	case !w.Scan && !w.Split && !w.Describe && !w.Extras:
		return struct {
			sources.Source
			scan
			split
			desc
			extras
		}{s, s, s, s, s}
	case !w.Scan && !w.Split && !w.Describe:
		return struct {
			sources.Source
			scan
			split
			desc
		}{s, s, s, s}
	case !w.Scan && !w.Split && !w.Extras:
		return struct {
			sources.Source
			scan
			split
			extras
		}{s, s, s, s}
	case !w.Scan && !w.Split:
		return struct {
			sources.Source
			scan
			split
		}{s, s, s}
	case !w.Scan && !w.Describe && !w.Extras:
		return struct {
			sources.Source
			scan
			desc
			extras
		}{s, s, s, s}
	case !w.Scan && !w.Describe:
		return struct {
			sources.Source
			scan
			desc
		}{s, s, s}
	case !w.Scan && !w.Extras:
		return struct {
			sources.Source
			scan
			extras
		}{s, s, s}
	case !w.Scan:
		return struct {
			sources.Source
			scan
		}{s, s}
	case !w.Describe && !w.Extras:
		return struct {
			sources.Source
			desc
			extras
		}{s, s, s}
	case !w.Describe:
		return struct {
			sources.Source
			desc
		}{s, s}
	case !w.Extras:
		return struct {
			sources.Source
			extras
		}{s, s}
	}
	return base
}
