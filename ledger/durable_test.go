package ledger_test

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"plumbline/ledger"
)

func TestADurableTransactionWaitsForTheDiskAndOthersDoNot(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			at, asked, waits, doesNot := address(t, engine), `PRAGMA synchronous`, "2", "1"
			if engine == "postgres" {
				asked, waits, doesNot = `SHOW synchronous_commit`, "on", "off"
				u, err := url.Parse(at)
				must(t, err)
				onServer(t, os.Getenv("PLUMBLINE_TEST_POSTGRES_URL"), "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET synchronous_commit TO off")
			}
			w := openWorld(t, at, newClock(), ledger.Options{})
			for range 3 {
				var within, after string
				must(t, w.InDurableTx(t.Context(), func(tx *ledger.Tx) error { return tx.SQL().QueryRowContext(t.Context(), asked).Scan(&within) }))
				must(t, w.InTx(t.Context(), func(tx *ledger.Tx) error { return tx.SQL().QueryRowContext(t.Context(), asked).Scan(&after) }))
				if within != waits || after != doesNot {
					t.Errorf("within a durable transaction it is %s, and after it %s", within, after)
				}
			}
		})
	}
}
