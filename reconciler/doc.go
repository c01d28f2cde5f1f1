// Package reconciler puts right what drifted: it proposes a plan of fixes, has
// it approved, applies exactly that, and can take it back.
//
// A plan is of one edge of a check and holds one Item per record. Each item says
// what its record looked like when the plan was drafted and what it is to become;
// its hash covers both, and the plan's hash covers the items' hashes in order.
// People approve that hash. What is applied is what was approved, or nothing.
//
// One item goes: claim (a term and a time until which it may be written) → look
// at the replica's record and read the owner's → the item's hash still holds,
// else the item is stale, it alone → the intent is durable → the conditional
// write, on exactly one record, by the store's own clock → the outcome is durable
// → both sides are read again. An intent without an outcome is doubtful: once the
// store's clock is past its time, a settled look tells what became of it.
//
// The package knows no store of ours and no page. The ledger keeps what it says
// through the Journal that is declared here; the auditor calls it on time.
package reconciler
