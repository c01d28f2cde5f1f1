package access_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"plumbline/access"
)

func TestPasswordsMatchTheirOwnHashAlone(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	hash := access.HashPassword(password)
	if hash == access.HashPassword(password) {
		t.Error("two hashes have one salt")
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", hash)
	}
	if !access.MatchPassword(hash, password) || access.MatchPassword(hash, password+" ") || access.MatchPassword(access.NobodysHash(), "") {
		t.Error("the wrong password matches, or the right one does not")
	}
	if !access.MatchPassword(access.HashPassword("caf\u00e9 caf\u00e9 caf\u00e9"), "cafe\u0301 cafe\u0301 cafe\u0301") {
		t.Error("another keyboard writes another password")
	}
	for _, bad := range []string{"", "plain", strings.Replace(hash, "t=2", "t=1", 1), strings.Replace(hash, "argon2id", "argon2i", 1), hash[:len(hash)-2] + "!!"} {
		if access.MatchPassword(bad, password) {
			t.Errorf("%q is matched", bad)
		}
	}
}

func TestWeakPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	for password, ok := range map[string]bool{
		"":                                 false,
		"eleven char":                      false,
		"twelve chars":                     true,
		"ééééééééééé":                      false,
		"éèéèéèéèéèéè":                     true,
		"aaaaaaaaaaaaaaaa":                 false,
		"éééééééééééééééé":                 false,
		"my name is ANNA, ok":              false,
		strings.Repeat("long ", 51):        true,
		strings.Repeat("long ", 51) + "ab": false,
	} {
		if err := access.CheckPassword("anna", password); (err == nil) != ok {
			t.Errorf("%q: %v", password, err)
		}
	}
	if err := access.CheckPassword("a", "a name of one character"); err != nil {
		t.Error(err)
	}
}

func TestNamesCanBeReadAndAreNobodyElses(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"": false, " ": false, "ann": true, "Ann Lee": true, "ann  lee": false, " ann": false, "ann ": false, "ann\tlee": false,
		"ann\u202Elee": false, "ann\x00": false, "\xff": false, "ann\u200b": false, "安娜": true, "ann@example.com": true, "ann\u00a0lee": false,
		strings.Repeat("n", 64): true, strings.Repeat("n", 65): false,
		"plumbline": false, "Plumbline": false, "local user": false, "LOCAL user": false, "root (command)": false, "slack user U1": false,
		"ann (token ci)": false, "token ci": false, "\uff50lumbline": false,
	} {
		if _, err := access.CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, alike := range [][2]string{{"Ann", "aNN"}, {"caf\u00e9", "CAFE\u0301"}, {"\uff21nn", "ann"}, {"Stra\u00dfe", "STRASSE"}} {
		if access.FoldName(alike[0]) != access.FoldName(alike[1]) {
			t.Errorf("%q and %q are two names", alike[0], alike[1])
		}
	}
}

func TestFewPasswordsAreHashedAtATime(t *testing.T) {
	t.Parallel()
	h := access.NewHasher(1)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := h.Match(t.Context(), access.NobodysHash(), "guess"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if h.Computed() != 4 {
		t.Errorf("computed %d", h.Computed())
	}
	none := access.NewHasher(0) // where all places are taken
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := none.Hash(gone, "password"); !errors.Is(err, context.Canceled) || none.Computed() != 0 {
		t.Errorf("who has gone gets %v after %d", err, none.Computed())
	}
}

func TestSecretsAreDrawnAnewAndKeptAsFingerprints(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		token := access.NewToken()
		if seen[token] || len(token) != len(access.TokenPrefix)+32 || !strings.HasPrefix(token, "plb_") {
			t.Fatalf("drew %s", token)
		}
		seen[token] = true
		if strings.Contains(string(access.Fingerprint(token)), token) || len(access.Fingerprint(token)) != 32 {
			t.Fatal("a fingerprint tells")
		}
	}
}
