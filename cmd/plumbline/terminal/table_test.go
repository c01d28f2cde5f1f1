package terminal

import (
	"strings"
	"testing"
)

func TestTableAlignsByDisplayWidth(t *testing.T) {
	t.Parallel()
	var table Table
	table.Row("NAME", "COUNT", "")
	table.Row("你好", "1", "last")
	table.Style(0, NewStyle(true).Bad)
	table.Row("e\u0301", "22")
	var b strings.Builder
	if _, err := table.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	want := "NAME  COUNT\n\x1b[31m你好\x1b[0m  1      last\ne\u0301     22\n"
	if b.String() != want {
		t.Errorf("got\n%q, want\n%q", b.String(), want)
	}
}

func TestCountAndPlural(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
	if one, many := Plural(1, "page"), Plural(1200, "page"); one != "1 page" || many != "1,200 pages" {
		t.Errorf("got %q and %q", one, many)
	}
}
