// Package drift remembers: what a finding is, how it lives, and how it is shown.
//
// A finding is a confirmed difference that outlives its run. Its identity is
// check, replica, key and copy id; its kind is an attribute.
//
//	                  ┌────────────── seen again ──────────────┐
//	                  ▼                                        │
//	(none) ─seen─▶ confirmed ─acknowledge─▶ acknowledged ──────┤
//	                  │  ▲ └────mute──────▶ muted ─unmute──▶ confirmed
//	                  │  │
//	                  │  └─ fix ended ── fixing ◀── fix begun (any open state)
//	                  ▼
//	   read and found equal, gone or out of scope ─▶ resolved ─seen─▶ regressed
//
// Invariants, held by a property over random histories (life_test.go):
//
//   - Only Next changes a state, and it is pure: a table of states and events.
//   - A finding is resolved by a read of that record alone. What was not read
//     changes nothing.
//   - Every change names who did it, when, and in which run.
package drift
