package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plumbline/access"
	"plumbline/configs"
	"plumbline/ledger"
)

const (
	// sealEvery is how long an entry of the audit log waits for its seal.
	sealEvery = time.Second
	// sealWithin is how long the last sealing may hold the end of the process up.
	sealWithin = 3 * time.Second
	// digestEvery is how often it is looked whether a digest is due, and digestLate
	// until when after its time one is still of use.
	digestEvery = 20 * time.Second
	digestLate  = 3 * time.Hour
)

// every does something at once and then in intervals, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sealAudit seals the audit log's new entries and logs its head: whoever keeps
// logs elsewhere can tell by it that no entry was taken away.
func (s *Service) sealAudit(ctx context.Context) {
	every(ctx, sealEvery, func() {
		sealed, head, err := s.ledger.SealAudit(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.o.Log.Error("seal the audit log", "error", err)
		case sealed > 0:
			s.logHead(head, sealed)
		}
	})
}

// sealLast seals what was done since the sealer last came by.
func (s *Service) sealLast() error {
	ctx, cancel := context.WithTimeout(context.Background(), sealWithin)
	defer cancel()
	sealed, head, err := s.ledger.SealAudit(ctx)
	if sealed > 0 {
		s.logHead(head, sealed)
	}
	var another *ledger.WrongAuditKeyError
	if errors.As(err, &another) { // which was logged each time the sealer came by
		return nil
	}
	return err
}

func (s *Service) logHead(head access.Head, sealed int) {
	s.o.Log.Info("audit head", "head", head.String(), "sealed", sealed)
}

// sendDigests queues each day's digest once its time has come. Every process
// does, and the ledger keeps one a day and target.
func (s *Service) sendDigests(ctx context.Context) {
	queued := ""
	every(ctx, digestEvery, func() {
		config := s.Config().Alerts.Digest
		if config == nil {
			return
		}
		day, at, due := digestDue(config, time.Now())
		if !due || day == queued {
			return
		}
		if err := s.queueDigest(ctx, config, day, at); err != nil {
			if ctx.Err() == nil {
				s.o.Log.Error("make the digest", "day", day, "error", err)
			}
			return
		}
		queued = day
	})
}

// digestDue says of which day the digest is that is due now, if any.
func digestDue(config *configs.Digest, now time.Time) (day string, at time.Time, due bool) {
	clock, err := time.Parse("15:04", config.At)
	if err != nil {
		return "", time.Time{}, false // what cannot be read was refused with its place
	}
	local := now.In(config.Zone)
	for _, ago := range []int{0, 1} { // one of the evening may be late on the day after
		at = time.Date(local.Year(), local.Month(), local.Day()-ago, clock.Hour(), clock.Minute(), 0, 0, config.Zone)
		if !now.Before(at) && now.Sub(at) < digestLate {
			return at.Format(time.DateOnly), at, true
		}
	}
	return "", time.Time{}, false
}

func (s *Service) queueDigest(ctx context.Context, config *configs.Digest, day string, at time.Time) error {
	before := at.AddDate(0, 0, -1)
	digest, err := s.ledger.Digest(ctx, before, at)
	if err != nil {
		return fmt.Errorf("gather what happened: %w", err)
	}
	return s.ledger.QueueDigest(ctx, day, at, config.Targets(), digest)
}
