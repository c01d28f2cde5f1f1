// Package alerts decides who is told what, and when. An incident is what people
// are told about: the open findings of one check, from the first until all are
// resolved, or that a check cannot be made. All decisions are functions of
// values: what a check's edges and findings say (Facts), what the configuration
// wants (Policy) and a time. The ledger applies Next within the transaction that
// records a result, so no change of state is lost between the two.
//
//	facts ── Next ──▶ incident ── deliveries (one for each target) ── Dispatcher ──▶ Sender
//
// A delivery knows the state that its target was last told and the one it is to
// be told. What is sent is always the present state: after an outage the states
// in between are told as one.
package alerts
