package ledger_test

import (
	"crypto/sha256"
	"testing"

	"plumbline/ledger"
	"plumbline/sources"
)

// A ledger of an earlier version, which found what it kept by hashes without a
// key, beside keys in clear: its findings and suspects are found again.
func ledgersOfBeforeAreRekeyed(t *testing.T, w *world) {
	w.drifted()
	w.scanned("search", w.suspects(40, 41)...)
	before := w.listed(ledger.FindingFilter{})
	for _, table := range []string{"findings", "suspects"} {
		rows, err := w.DB().QueryContext(t.Context(), "SELECT ident FROM "+table)
		must(t, err)
		var idents [][]byte
		for rows.Next() {
			var b []byte
			must(t, rows.Scan(&b))
			idents = append(idents, b)
		}
		must(t, rows.Close())
		for _, ident := range idents {
			old := sha256.Sum256(ident)
			_, err := w.DB().ExecContext(t.Context(), "UPDATE "+table+" SET ident = $1 WHERE ident = $2", old[:16], ident)
			must(t, err)
		}
	}
	id := w.finding("search", 1).ID
	clear := sources.Int(1).AppendEncoding(nil)
	_, err := w.DB().ExecContext(t.Context(), "UPDATE findings SET record_key = $1 WHERE id = $2", clear, id)
	must(t, err)
	_, err = w.DB().ExecContext(t.Context(), "DELETE FROM settings WHERE name = 'keyed identities'")
	must(t, err)

	again := openWorld(t, w.url, w.clock, ledger.Options{})
	if got := again.listed(ledger.FindingFilter{}); got != before {
		t.Errorf("the findings were %s and are %s", before, got)
	}
	again.recheck("search", again.differs(again.suspect(1), "paid", "lost"))
	if f := again.finding("search", 1); f.Seen != 2 {
		t.Errorf("a finding that is seen again was seen %d times", f.Seen)
	}
	if got := len(again.listed(ledger.FindingFilter{})); got != len(before) {
		t.Errorf("there are other findings than before: %s", again.listed(ledger.FindingFilter{}))
	}
	again.scanned("search", again.suspects(40, 41)...)
	if e := again.edge("search"); e.Pending != 2 {
		t.Errorf("%d suspects are pending of two that were met twice", e.Pending)
	}
	var kept []byte
	must(t, again.DB().QueryRowContext(t.Context(), "SELECT record_key FROM findings WHERE id = $1", id).Scan(&kept))
	if string(kept) == string(clear) {
		t.Error("a key still lies in clear")
	}
}
