package access_test

import (
	"testing"

	"plumbline/access"
)

func TestOnePersonIsKnownWhicheverWayTheyCome(t *testing.T) {
	t.Parallel()
	olga := access.CommandName("olga")
	for _, row := range []struct {
		account, name, other, otherName string
		want                            bool
	}{
		{"A-1", "olga", "A-1", "olga after her wedding", true},
		{"A-1", "olga", "A-2", "olga", false},
		{"A-1", "olga", "A-1", access.TokenName("olga", "ci"), true},
		{"A-1", "Olga", "", olga, true},
		{"A-1", access.TokenName("olga", "ci"), "", olga, true},
		{"A-1", "olga", "", access.TokenName("", olga), true},
		{"", olga, "", access.TokenName("", olga), true},
		{"", olga, "", access.CommandName("anton"), false},
		{"A-1", "olga", "", access.TokenName("", "ci"), false},
		{"", access.LocalUser, "", access.LocalUser, true},
		{"", access.LocalUser, "A-1", "olga", false},
	} {
		if got := access.SamePerson(row.account, row.name, row.other, row.otherName); got != row.want {
			t.Errorf("%q (%s) and %q (%s): %v, want %v", row.name, row.account, row.otherName, row.other, got, row.want)
		}
		if back := access.SamePerson(row.other, row.otherName, row.account, row.name); back != row.want {
			t.Errorf("the other way round, %q and %q: %v", row.otherName, row.name, back)
		}
	}
}
