// Package auditor does the work on time: it keeps schedules, hands work out and
// audits. Any number of processes may do so on one ledger; none of them leads.
//
//		slot ──▶ begin ──▶ segment … segment ──▶ (settle) ──▶ confirm
//
//	  - A slot of a schedule is a unique row of the ledger, written together with
//	    what becomes of it: a run per edge with its job, or why there is none.
//	  - begin reads the open findings again, plans the run and cuts it.
//	  - segment is AuditSegment: scan, compare, suspect. Its cursor moves with what
//	    it records, so whoever goes on with it reads nothing twice.
//	  - confirm is ConfirmDue: what has settled is read again, judged, recorded.
//
// Jobs are short: one that is long saves where it is and queues again. Whoever
// works holds a term of the ledger; work that is done twice, because a process
// was taken for gone and came back, is recorded once.
package auditor
