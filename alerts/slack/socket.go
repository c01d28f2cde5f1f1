package slack

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// largestEnvelope is the most that is read of one envelope.
	largestEnvelope = 1 << 20
	// mostEnvelopes is how many envelopes are taken side by side.
	mostEnvelopes = 32
	// longestPause bounds how long a lost connection is left lost.
	longestPause = 30 * time.Second
)

// Socket takes requests over Socket Mode until ctx ends, where there is an app
// token. A connection that is lost is made again. Several processes may hold one
// each: Slack gives each envelope to one of them.
func (in *Inbound) Socket(ctx context.Context) {
	if in.o.AppToken == "" {
		return
	}
	for ctx.Err() == nil {
		in.hold(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// hold keeps one client of slack-go going. That one doubles its pauses up to five
// minutes: it is given up when they grow too long, and so is one that Slack does
// not let in.
func (in *Inbound) hold(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := socketmode.New(in.api, socketmode.OptionReadLimit(largestEnvelope), socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()
	var taking sync.WaitGroup
	defer taking.Wait()
	room := make(chan struct{}, mostEnvelopes)
	for {
		select {
		case err := <-ended:
			if ctx.Err() == nil {
				in.o.Log.Error("Socket Mode ended", "why", why(err), "again in", longestPause)
				in.pause(ctx, longestPause)
			}
			return
		case event := <-client.Events:
			if failed, ok := event.Data.(*slack.ConnectionErrorEvent); ok && ctx.Err() == nil {
				in.o.Log.Warn("connect by Socket Mode", "why", why(failed.ErrorObj), "try", failed.Attempt)
				if failed.Backoff > longestPause {
					cancel()
				}
			}
			if event.Type == socketmode.EventTypeConnected {
				in.o.Log.Info("connected by Socket Mode")
			}
			if event.Request == nil {
				continue
			}
			room <- struct{}{} // each leaves in time, whatever the ledger does
			taking.Go(func() {
				defer func() { <-room }()
				in.envelope(ctx, client, event)
			})
		}
	}
}

func (in *Inbound) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// envelope takes what an envelope brings, and acknowledges it once it is taken.
// One that is refused is acknowledged too, or Slack would bring it again.
func (in *Inbound) envelope(ctx context.Context, client *socketmode.Client, event socketmode.Event) {
	var got received
	var err error
	switch event.Type {
	case socketmode.EventTypeSlashCommand:
		got.kind = kindCommand
		got.asked, err = askedByCommandJSON(event.Request.Payload)
	case socketmode.EventTypeInteractive:
		got.kind = kindAction
		got.asked, err = askedByAction(event.Request.Payload)
	}
	var payload any
	switch {
	case err != nil:
		in.o.Log.Warn("an envelope of Slack is refused", "why", "it is malformed")
	case got.asked != nil:
		switch taken := in.take(ctx, socketID(event.Request.EnvelopeID), got); taken {
		case isForeign, isReplayed:
			in.o.Log.Warn("an envelope of Slack is refused", "why", string(taken))
		case isBusy, isUnsure:
			if got.kind == kindCommand && event.Request.AcceptsResponsePayload {
				payload = said(busyWords(taken)).answer(false)
			} else {
				in.tellLater(got.asked, said(busyWords(taken)))
			}
		}
	}
	acknowledge := socketmode.Response{EnvelopeID: event.Request.EnvelopeID}
	if payload != nil {
		body, err := json.Marshal(payload)
		if err != nil {
			in.o.Log.Error("answer an envelope", "error", err)
		} else {
			acknowledge.Payload = json.RawMessage(body)
		}
	}
	if err := client.SendCtx(ctx, acknowledge); err != nil && ctx.Err() == nil {
		in.o.Log.Warn("acknowledge an envelope of Slack", "why", why(err))
	}
}
