package sources

import (
	"context"
	"time"
)

// Patient is the same Reader, whose reads end with a *ThrottledError once they
// have waited for so long for the store's load to fall: for whoever has something
// else to do meanwhile.
func (r *Reader) Patient(patience time.Duration) *Reader {
	own := *r
	own.patience = patience
	return &own
}

// yield waits as long as the store is busier than the limits allow. What the
// store does not tell stops nobody.
func (r *Reader) yield(ctx context.Context) error {
	most := gaugeEvery
	for waited := time.Duration(0); ; waited += breather {
		load := r.gauged(ctx, most)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case load.Cause == "":
			return nil
		case r.patience > 0 && waited >= r.patience:
			return &ThrottledError{Source: r.name, Cause: load.Cause, Reason: load.Reason}
		}
		if err := r.wait(ctx, load.Cause, breather, load.Reason); err != nil {
			return err
		}
		most = gaugeAnew
	}
}

func (r *Reader) gauged(ctx context.Context, most time.Duration) Gauged {
	return r.guard.gauged(ctx, most, func(began time.Time, err error) { r.asked("gauge", began, err) })
}

// Gauged asks how busy the store is, where it has not said so within the last
// second. It asks nothing where no limit wants to know, or the adapter cannot say.
func (r *Reader) Gauged(ctx context.Context) Gauged { return r.gauged(ctx, 2*gaugeEvery) }

// Load is what the store last said of how busy it is.
func (r *Reader) Load() Gauged { return r.guard.known() }

// Late is how far what is read may be behind what was written: the lag of the
// standby that is read, as old as its word on that is; 0 where none is read or
// none is known.
func (r *Reader) Late(ctx context.Context) time.Duration {
	r.gauged(ctx, gaugeAnew)
	return r.guard.late()
}

// Held says why a read would not be made just now: the store is too busy, or
// failed so often that it is left alone. It asks nothing, and is "" where what is
// known is too old to go by: then a read may find out.
func (r *Reader) Held() (cause, reason string) {
	if open := r.guard.circuit.state(r.name); open != nil && open.Rest > 0 {
		return WaitCircuit, open.Error()
	}
	if load := r.guard.known(); time.Since(load.At) < 2*gaugeEvery {
		return load.Cause, load.Reason
	}
	return "", ""
}

// Circuit is why the source is left alone for a while; nil where it is not.
func (r *Reader) Circuit() *CircuitError { return r.guard.circuit.state(r.name) }

// Slow says whether the store leaves reads without an answer: one that is under
// way has had none for 5 s, or the last one did not get one in that time.
func (r *Reader) Slow() bool { return r.guard.watch.isSlow() }
