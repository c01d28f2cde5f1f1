package main

import (
	"plumbline/auditor"
	"plumbline/cmd/plumbline/service"
	"plumbline/configs"
	"plumbline/drift"
	"plumbline/ledger"
)

// desk is where this command acts on the ledger itself. Plans of fixes are then
// drafted and applied by whoever asks, to their end.
func (c *cli) desk(config *configs.Config, l *ledger.Ledger, readers *service.Readers, lens drift.Lens) *auditor.Desk {
	fixes := auditor.NewFixes(auditor.Options{Ledger: l, Checks: service.Checks(config, l.MaskKey()), Hash: config.Hash(l.MaskKey()), Readers: readers.Find,
		Lens: lens, Now: c.now, Fixing: service.NewFixing(func() *configs.Config { return config })})
	return auditor.NewDesk(l, nil, c.now).Using(fixes)
}
