package ledger_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLedger is what a ledger promises, on every engine.
func TestLedger(t *testing.T) {
	t.Parallel()
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			for _, promise := range promises() {
				t.Run(promise.name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, engine)
					promise.holds(t, w)
					w.recount()
				})
			}
		})
	}
}

type promise struct {
	name  string
	holds func(*testing.T, *world)
}

func promises() []promise {
	return []promise{
		{"a run that compares everything is clean", cleanRun},
		{"suspects are judged once they have settled", suspectsAreJudged},
		{"findings live", findingsLive},
		{"open findings count at once", openFindingsCountAtOnce},
		{"suspects belong to all runs that meet them", suspectsBelongToAllRunsThatMeetThem},
		{"suspects met while they are judged are judged again", suspectsMetWhileJudgedAreJudgedAgain},
		{"renewed suspects wait again", renewedSuspectsWaitAgain},
		{"random keys count where they were drawn", randomKeysCountWhereTheyWereDrawn},
		{"drawn keys are kept", drawnKeysAreKept},
		{"followed suspects", followedSuspects},
		{"a key that is there after all", aKeyThatIsThereAfterAll},
		{"records held twice", recordsHeldTwice},
		{"unreadable records without a key", unreadableRecordsWithoutAKey},
		{"findings are capped", findingsAreCapped},
		{"failed segments", failedSegments},
		{"nothing could be read", nothingCouldBeRead},
		{"runs of given keys", runsOfGivenKeys},
		{"runs do not overlap", runsDoNotOverlap},
		{"jobs and runs come together", jobsAndRunsComeTogether},
		{"terms fence", termsFence},
		{"runs are cancelled", runsAreCancelled},
		{"runs are listed", runsAreListed},
		{"reasons are bounded", reasonsAreBounded},
		{"slots are taken once", slotsAreTakenOnce},
		{"what is declared", whatIsDeclared},
		{"generations", generations},
		{"a clock set back", aClockSetBack},
		{"ledgers of before are rekeyed", ledgersOfBeforeAreRekeyed},
		{"history is kept by half hours", historyIsKeptByHalfHours},
		{"positions come back", positionsComeBack},
		{"findings are listed", findingsAreListed},
		{"findings are summed up", findingsAreSummedUp},
		{"patterns are bounded", patternsAreBounded},
		{"masks hold", masksHold},
		{"people act", peopleAct},
		{"acts on many are done in batches", actsOnManyAreDoneInBatches},
		{"ids that meet", idsThatMeet},
		{"watchers hear", watchersHear},
		{"what is old is pruned", whatIsOldIsPruned},
		{"answers are remembered", answersAreRemembered},
		{"the ledger says how it is", theLedgerSaysHowItIs},
		{"newer ledgers are left alone", newerLedgersAreLeftAlone},
	}
}
