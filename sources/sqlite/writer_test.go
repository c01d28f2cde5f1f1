package sqlite_test

import (
	"errors"
	"testing"
	"time"

	"plumbline/sources"
)

// writer is the store's source, opened to write.
func writer(t testing.TB, s *store) sources.Writer {
	t.Helper()
	return open(t, sources.Options{Name: "store", URL: fileURL(s.file), Writable: true}).(sources.Writer)
}

func look(t testing.TB, w sources.Writer, d *sources.Dataset, key sources.Key, whole bool) *sources.Image {
	t.Helper()
	image, err := w.Look(t.Context(), d, key, nil, sources.Looking{Whole: whole})
	if err != nil || !image.Exists {
		t.Fatalf("look: %+v, %v", image, err)
	}
	return image
}

func become(t testing.TB, w sources.Writer, d *sources.Dataset, before *sources.Image, set ...sources.Assignment) *sources.Image {
	t.Helper()
	after, err := w.Become(t.Context(), d, before, set)
	if err != nil {
		t.Fatalf("become: %v", err)
	}
	return after
}

func mustWrite(t testing.TB, w sources.Writer, d *sources.Dataset, c *sources.Change) {
	t.Helper()
	if err := w.Write(t.Context(), d, c, time.Now().Add(time.Minute)); err != nil {
		t.Fatalf("%s: %v", c.Kind(), err)
	}
}

func notWritten(t testing.TB, err error) *sources.NotWritten {
	t.Helper()
	var not *sources.NotWritten
	if !errors.As(err, &not) {
		t.Fatalf("%v; it should certainly not be written", err)
	}
	return not
}
