package sources

import (
	"testing"
	"time"
)

func TestATimeIsSpeltAsItsLikeIs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 1, 4, 51, 0, time.UTC)
	for _, test := range []struct {
		value      Value
		like, want string
	}{
		{NaiveTime(at, 9), "2026-11-09 23:58:00", "2026-11-20 01:04:51"},
		{NaiveTime(at, 9), "2026-11-09T23:58:00", "2026-11-20T01:04:51"},
		{NaiveTime(at, 9), "2026-11-09 23:58:00.250", "2026-11-20 01:04:51.000"},
		{NaiveTime(at.Add(120*time.Millisecond), 9), "2026-11-09 23:58:00", "2026-11-20 01:04:51.12"},
		{Time(at, 9), "2026-11-09T23:58:00Z", "2026-11-20T01:04:51Z"},
		{Time(at, 9), "2026-11-09 23:58:00+02:00", "2026-11-20 03:04:51+02:00"},
		{Time(at, 9), "2026-11-09T23:58:00.123456+0200", "2026-11-20T03:04:51.000000+0200"},
		{Time(at, 9), "2026-11-09 23:58:00", ""},
		{NaiveTime(at, 9), "2026-11-09T23:58:00Z", ""},
		{NaiveTime(at, 9), "last week", ""},
		{TimeInfinity(1, true), "2026-11-09 23:58:00", ""},
		{Text("2026-11-20"), "2026-11-09 23:58:00", ""},
	} {
		got, ok := SpellLike(test.value, test.like)
		if ok != (test.want != "") || got.AsText() != test.want && ok {
			t.Errorf("%v like %s: %v, %v", test.value, test.like, got, ok)
		}
		if back, err := As(got, KindTime, nil); ok && (err != nil || !back.Equal(test.value) && back.String() != test.value.String()) {
			t.Errorf("%v like %s reads as %v, %v", test.value, test.like, back, err)
		}
	}
}
