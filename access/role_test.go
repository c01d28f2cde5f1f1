package access_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plumbline/access"
)

// held is the table of people-readable rights, written a second time.
func held() map[access.Role]string {
	return map[access.Role]string{
		"":              "public",
		"owner":         "public",
		access.Viewer:   "public self view metrics",
		access.Operator: "public self view metrics values act reveal",
		access.Approver: "public self view metrics values act reveal approve audit",
		access.Admin:    "public self view metrics values act reveal approve audit manage",
	}
}

func permissions() []access.Permission {
	return []access.Permission{access.Public, access.Self, access.View, access.Values, access.Act, access.Reveal, access.Approve,
		access.Audit, access.Manage, access.Scrape, "", "anything"}
}

func TestRolesHoldWhatTheTableSays(t *testing.T) {
	t.Parallel()
	for role, words := range held() {
		for _, p := range permissions() {
			if want := slices.Contains(strings.Fields(words), string(p)); role.May(p) != want {
				t.Errorf("role %q may %q: %v", role, p, !want)
			}
		}
	}
}

func TestEachRoleHoldsWhatALesserOneHolds(t *testing.T) {
	t.Parallel()
	roles := access.Roles()
	for i, role := range roles {
		for _, lesser := range roles[:i] {
			for _, p := range permissions() {
				if lesser.May(p) && !role.May(p) {
					t.Errorf("%s may %s and %s may not", lesser, p, role)
				}
			}
			if access.Lesser(role, lesser) != lesser || access.Lesser(lesser, role) != lesser {
				t.Errorf("of %s and %s the lesser is %s", role, lesser, access.Lesser(role, lesser))
			}
		}
		if access.Lesser(role, "") != "" || access.Lesser("owner", role) != "" {
			t.Errorf("%s and no role share a role", role)
		}
	}
}

func TestScopesOnlyNarrow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		role := rapid.SampledFrom(append(access.Roles(), "", "owner")).Draw(t, "role")
		scopes := rapid.SliceOfDistinct(rapid.SampledFrom(access.Scopes()), rapid.ID).Draw(t, "scopes")
		p := rapid.SampledFrom(permissions()).Draw(t, "permission")
		token := access.Actor{Role: role, Scopes: scopes}
		if scopes == nil {
			token.Scopes = []access.Permission{}
		}
		want := p == access.Public || role.May(p) && slices.Contains(scopes, p)
		if token.May(p) != want {
			t.Fatalf("a token of %s with %v may %s: %v", role, scopes, p, !want)
		}
		if token.May(p) && !(access.Actor{Role: role}).May(p) {
			t.Fatalf("a token may %s and its role may not", p)
		}
	})
}

func TestScopesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	all, err := access.ParseScopes(access.ScopeWords(access.Scopes()))
	if err != nil || !slices.Equal(all, access.Scopes()) {
		t.Errorf("got %v, %v", all, err)
	}
	if some, err := access.ParseScopes(" view, values,view"); err != nil || access.ScopeWords(some) != "view,values" {
		t.Errorf("got %v, %v", some, err)
	}
	for _, bad := range []string{"", ",", "view,", "admin", "self", "reveal", "public", "View"} {
		if some, err := access.ParseScopes(bad); err == nil {
			t.Errorf("%q is read as %v", bad, some)
		}
	}
}

func TestWhoMayNotIsToldWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		actor access.Actor
		asks  access.Permission
		says  string
	}{
		{access.Actor{}, access.View, "sign in first"},
		{access.Actor{Name: "ann", Role: access.Viewer}, access.Act, "ann may not: it needs the role operator"},
		{access.Actor{Name: "ci", Role: access.Admin, Scopes: []access.Permission{access.View}}, access.Act, "this token may not: it needs the scope act"},
		{access.Actor{Name: "ci", Role: access.Viewer, Scopes: []access.Permission{access.View}}, access.Act, "ci may not: it needs the role operator"},
		{access.Actor{Name: "ci", Role: access.Admin, Scopes: access.Scopes()}, access.Reveal, "this token may not: no token may, it is for people who signed in"},
	} {
		err := access.Require(access.With(t.Context(), &access.Attempt{Actor: c.actor}), c.asks)
		if err == nil || err.Error() != c.says {
			t.Errorf("%s asks for %s and is told %v", c.actor.Name, c.asks, err)
		}
	}
	if err := access.Require(t.Context(), access.View); err == nil {
		t.Error("who comes without an attempt may see")
	}
	if err := access.Require(access.With(t.Context(), &access.Attempt{Actor: access.Local(access.ByPage, "")}), access.Manage); err != nil {
		t.Error(err)
	}
}
