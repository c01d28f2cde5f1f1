package auditor

import (
	"context"

	"plumbline/ledger"
)

// MigrateJobs makes the job engine's tables in a ledger.
func MigrateJobs(ctx context.Context, l *ledger.Ledger) error { return migrateJobs(ctx, l) }
