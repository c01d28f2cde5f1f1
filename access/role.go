package access

import (
	"fmt"
	"slices"
	"strings"
)

// Permission is one thing that may be allowed. Every route declares the one it
// needs; what is not declared is denied.
type Permission string

// The permissions. The scopes of a token are permissions too.
const (
	Public  Permission = "public"  // anybody, signed in or not
	Self    Permission = "self"    // whoever is signed in, about their own account
	View    Permission = "view"    // names, counts, states and words; no value of a record
	Values  Permission = "values"  // values that no mask covers
	Act     Permission = "act"     // run, re-check, cancel, acknowledge, mute, accept
	Reveal  Permission = "reveal"  // values under a mask, with a reason, logged
	Approve Permission = "approve" // fix plans
	Audit   Permission = "audit"   // read the audit log
	Manage  Permission = "manage"  // accounts, roles and the tokens of others
	Scrape  Permission = "metrics" // /metrics
)

// Scopes are the permissions that a token may be given.
func Scopes() []Permission {
	return []Permission{View, Values, Act, Approve, Audit, Manage, Scrape}
}

// Role is what an account may do, as one word. Each holds what those before it hold.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Approver Role = "approver"
	Admin    Role = "admin"
)

// Roles lists all roles, the least first.
func Roles() []Role { return []Role{Viewer, Operator, Approver, Admin} }

// grants is the whole table: what each role adds to the one before it.
func grants() map[Role][]Permission {
	return map[Role][]Permission{
		Viewer:   {Self, View, Scrape},
		Operator: {Values, Act, Reveal},
		Approver: {Approve, Audit},
		Admin:    {Manage},
	}
}

// May says whether a role holds a permission. No role holds what is not in the
// table, and an unknown role holds nothing but what is public.
func (r Role) May(p Permission) bool {
	if p == Public {
		return true
	}
	if !slices.Contains(Roles(), r) {
		return false
	}
	for _, role := range Roles() {
		if slices.Contains(grants()[role], p) {
			return true
		}
		if role == r {
			return false
		}
	}
	return false
}

// Least is the least role that holds a permission; "" where none does.
func Least(p Permission) Role {
	for _, role := range Roles() {
		if role.May(p) {
			return role
		}
	}
	return ""
}

// Lesser is the role that holds what both hold.
func Lesser(a, b Role) Role {
	roles := Roles()
	i, j := slices.Index(roles, a), slices.Index(roles, b)
	if i < 0 || j < 0 {
		return ""
	}
	return roles[min(i, j)]
}

// ParseRole reads a role's word.
func ParseRole(word string) (Role, error) {
	if slices.Contains(Roles(), Role(word)) {
		return Role(word), nil
	}
	return "", fmt.Errorf("there is no role %q: want viewer, operator, approver or admin", word)
}

// ParseScopes reads scopes divided by commas; none is an error.
func ParseScopes(list string) ([]Permission, error) {
	var scopes []Permission
	for word := range strings.SplitSeq(list, ",") {
		p := Permission(strings.TrimSpace(word))
		if !slices.Contains(Scopes(), p) {
			return nil, fmt.Errorf("there is no scope %q: want any of %s", p, ScopeWords(Scopes()))
		}
		if !slices.Contains(scopes, p) {
			scopes = append(scopes, p)
		}
	}
	return scopes, nil
}

// ScopeWords writes scopes as ParseScopes reads them.
func ScopeWords(scopes []Permission) string {
	words := make([]string, len(scopes))
	for i, p := range scopes {
		words[i] = string(p)
	}
	return strings.Join(words, ",")
}
